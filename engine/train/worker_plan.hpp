/// One worker of a deployment, before any memory is taken: its threads, the
/// plans of its chunks, what its loader brings, and how much it will take.

#pragma once

#include "engine/program/gradient_buckets.hpp"
#include "engine/program/stage_plan.hpp"
#include "engine/train/deployment.hpp"

#include <cstdint>
#include <vector>

namespace pd {

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

} // namespace pd
