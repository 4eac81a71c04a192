/// Takes a stage out of a network: the nodes [first, last).
///
///     whole:  0 … first-1 | first … last-1 | last …
///     stage:  placeholders, then the nodes of the stage in their order
///
/// Invariants:
///
/// (1) Names stay: a node and its parameters are called in the stage as in the
///     whole network, and a placeholder has the name of the node whose value
///     it brings.
///
/// (2) A value goes from the stage that makes it to each that takes it, also
///     over stages between. What a data loader makes (input, labels) does not
///     go: every stage that takes it has it from a loader of its own.

#pragma once

#include "engine/graph/infer.hpp"

#include <vector>

namespace pd {

/// A value that comes from an earlier stage.
struct edge {
  int producer = 0;    ///< index in the whole network
  int placeholder = 0; ///< index in the stage
  bool operator==(const edge&) const = default;
};

struct stage_graph {
  graph net;
  std::vector<edge> inputs;  ///< by producer
  std::vector<int> outputs;  ///< in `net`: what later stages take
  std::vector<int> index_of; ///< by index in the whole; -1: not here
};

/// A placeholder is a node "input" with the value's extents and the setting
/// `activation = true`; a copy of the node if it is a loader's.
///
/// Errors: bad_value if 0 <= first < last <= nodes does not hold; bad_shape if
/// a value that would have to cross has no extents but the batch.
[[nodiscard]] result<stage_graph> cut(const typed_graph& whole, int first,
                                      int last);

} // namespace pd
