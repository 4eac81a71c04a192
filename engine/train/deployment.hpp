/// What all workers of a job agree on, before any memory is taken: the stages,
/// who sends to whom, and the timetables. A function of the job and the sizes
/// of its data, so every process comes to the same.

#pragma once

#include "engine/checkpoint/manifest.hpp"
#include "engine/job/job.hpp"
#include "engine/program/pipeline.hpp"
#include "engine/schedule/generate.hpp"

#include <memory>
#include <string>
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

} // namespace pd
