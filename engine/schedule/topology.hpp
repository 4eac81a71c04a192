/// Which stages send to which: the edges between virtual stages.

#pragma once

#include "engine/schedule/placement.hpp"

#include <utility>
#include <vector>

namespace pd {

/// The edges of one virtual stage, each list ascending.
struct stage_links {
  std::vector<int> upstream;   ///< activations come from, gradients go to
  std::vector<int> downstream; ///< activations go to, gradients come from
  bool operator==(const stage_links&) const = default;
};

/// By virtual stage.
using topology = std::vector<stage_links>;

/// A stage has no more edges in one direction.
inline constexpr std::size_t max_links = 32;

/// Every virtual stage sends to the next.
[[nodiscard]] topology neighbours(const pipeline_shape& shape);

/// Neighbours, and `skips`: (from, to) for each value that passes over stages.
/// One that is there already is not added twice.
/// Errors: bad_value if from < to does not hold or a stage has too many edges.
[[nodiscard]] result<topology>
with_skips(const pipeline_shape& shape,
           const std::vector<std::pair<int, int>>& skips);

} // namespace pd
