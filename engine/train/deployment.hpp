/// What all workers of a job agree on, before any memory is taken: the stages,
/// who sends to whom, and the timetables. A function of the job and the sizes
/// of its data, so every process comes to the same.

#pragma once

#include "engine/checkpoint/manifest.hpp"
#include "engine/job/job.hpp"
#include "engine/program/optimizer.hpp"
#include "engine/program/row_runner.hpp"
#include "engine/schedule/generate.hpp"
#include "engine/train/weights.hpp"

#include <memory>
#include <vector>

namespace pd {

/// Samples of the two splits; 0: the job does not use it.
struct data_sizes {
  std::int64_t training = 0;
  std::int64_t evaluation = 0;
};

struct deployment {
  job what;
  data_sizes sizes;
  std::vector<pipeline_stage> stages; ///< virtual
  schedule_options how;
  topology links;
  std::shared_ptr<const timetable> training;   ///< null if epochs = 0
  std::shared_ptr<const timetable> evaluation; ///< null if never evaluated
  bool splits_backward = false;
  /// Of an epoch that begins with its first sample; `training` is as long as
  /// the longest pass, so perhaps shorter.
  std::int64_t epoch_microbatches = 0;
  /// Where the weights and the position come from; empty: from the beginning.
  std::string resumed_from;
  checkpoint_position start; ///< what is to be trained first

  [[nodiscard]] placement where() const { return placement{how.shape}; }
};

/// The microbatches of the pass that begins with an epoch's microbatch `begin`:
/// whole rounds, up to the next checkpoint or the epoch's end, where it is 0.
[[nodiscard]] std::int64_t pass_length(const deployment& all,
                                       std::int64_t begin);

/// What the microbatch `begin` of an epoch is in the whole run: dropout draws
/// by it.
[[nodiscard]] std::int64_t microbatch_of_run(const deployment& all,
                                             std::int64_t epoch,
                                             std::int64_t begin);

/// The network of a job, loss included, as its file or its builder gives it.
/// Errors: unknown_name, bad_value, bad_file.
[[nodiscard]] result<graph> build_graph(const job& from, const registry& ops);

/// Cuts the network, makes and validates the timetables.
/// Errors: of the graph; bad_value of stages and schedule, by name.
[[nodiscard]] result<deployment>
deploy(const job& from, const data_sizes& sizes, const registry& ops);

/// Threads of a worker's team, if the job leaves it open: its share of the
/// cores, at least 1.
[[nodiscard]] int threads_of_worker(const deployment& all);

/// Threads that make a batch's images: the job's data.decode_threads, or the
/// cores over the workers that read images, at least 1; 1 if none is decoded.
[[nodiscard]] int decode_threads(const deployment& all);

/// The plans of a worker's chunks on its device: kernels made, memory placed
/// and not allocated. Errors: not_supported, bad_shape, with the node's name.
[[nodiscard]] result<std::vector<stage_plan>>
plan_worker(const deployment& all, int worker, const registry& ops, device& on);

/// The most microbatches of a chunk that a row has in flight at once.
[[nodiscard]] int peak_in_flight(const row& cells, int chunk);

/// Weight versions that a worker keeps of each chunk.
[[nodiscard]] int versions_of_worker(const deployment& all, int worker);

/// True if a chunk of the worker takes images from a data loader.
[[nodiscard]] bool reads_images(const deployment& all, int worker);

/// True if one takes images or labels.
[[nodiscard]] bool reads_batches(const deployment& all, int worker);

/// The microbatches that its data loader brings in a pass: as its row takes
/// them.
[[nodiscard]] std::vector<std::int64_t>
reading_order(const deployment& all, int worker, const timetable& pass);

/// Batches that the worker's data loader has memory for: those in flight and
/// two ahead; 0 if it has no loader.
[[nodiscard]] int batches_of_worker(const deployment& all, int worker);

/// What a loader brings of a microbatch.
[[nodiscard]] tensor_type images_type(const job& what); ///< f32 [N, C, H, W]
[[nodiscard]] tensor_type labels_type(const job& what); ///< i32 [N]

/// The memory of a worker by item: its chunks, data loader and links together.
/// Errors: of the optimizer's settings.
[[nodiscard]] result<std::vector<memory_item>>
memory_of_worker(const deployment& all, int worker,
                 const std::vector<stage_plan>& plans, const registry& ops,
                 const device& on);

/// The parts of a chunk's gradients that the stage's replicas sum at once, as
/// the job's run.bucket_bytes wants them; the same on all replicas.
[[nodiscard]] std::vector<gradient_bucket> buckets_of(const deployment& all,
                                                      const stage_plan& plan);

/// A worker's chunks with their memory and weights. The parts go in the
/// reverse order.
struct worker_parts {
  std::unique_ptr<device> on;
  std::vector<std::unique_ptr<stage_program>> programs; ///< by chunk
  std::vector<std::unique_ptr<optimizer>> updates;      ///< empty if epochs = 0
  std::vector<std::vector<gradient_bucket>> buckets;    ///< by chunk

  /// As a row_runner takes them: spans and pointers into this. @pre `all` is
  /// what they were made from
  [[nodiscard]] std::vector<row_runner::chunk_parts>
  chunks(const deployment& all, int worker) const;
};

/// Gives all replicas of a stage the batch norm statistics of its replica 0:
/// before an evaluation, so that it is one of the weights that are saved.
/// @pre between two passes
void share_statistics(const deployment& all,
                      std::vector<worker_parts>& workers);

/// All parameters and statistics, of replica 0 of each stage.
/// @pre between two passes
[[nodiscard]] std::vector<named_tensor>
weights_of_workers(const deployment& all,
                   const std::vector<worker_parts>& workers);

/// Opens the device, takes the memory, sets or loads the weights.
/// Errors: out_of_memory; of the weights file.
[[nodiscard]] result<worker_parts> make_worker(const deployment& all,
                                               int worker, const registry& ops);

} // namespace pd
