/// Which parts of a stage's gradients become whole when, in the last backward
/// of a round: so replicas sum the one while they still compute the next.
///
///     flat array   | conv1 | bn1 | conv2 |    fc    |
///     buckets      |      2      |   1   |    0     |   ◀── backward
///
/// Invariant (1): buckets are in the order in which a backward makes them
/// whole, and each lies right before the one that comes ahead of it.

#pragma once

#include "engine/device/stream.hpp"
#include "engine/program/stage_plan.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace pd {

/// Elements [first, end) of the stage's flat f32 array of gradients, padding
/// included.
struct gradient_bucket {
  std::int64_t first = 0;
  std::int64_t end = 0;
  /// Index in stage_plan::nodes: whole once the backward is through with it.
  int node = 0;
  bool operator==(const gradient_bucket&) const = default;
};

/// Covers [0, plan.trainable_elems) once, with buckets of whole nodes and of at
/// least `bucket_bytes` but for the last. A stage without trainable elements
/// has none. A function of the arguments only, so all replicas agree.
/// @pre bucket_bytes > 0
[[nodiscard]] std::vector<gradient_bucket>
plan_buckets(const stage_plan& plan, std::int64_t bucket_bytes);

/// Who is told of the buckets in one backward, each once and in their order.
struct bucket_watch {
  std::span<const gradient_bucket> buckets;
  /// Called on the stage's thread while the rest of the backward is still to be
  /// queued. The bucket is whole after `ready`, and written no more until the
  /// next round's first backward.
  std::function<void(int bucket, const event& ready)> on_whole;
};

} // namespace pd
