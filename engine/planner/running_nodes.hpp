/// The nodes that the engine runs of a network, and what a job calls them.
///
///     network    conv1   bn1   relu        layer1.0.bn2  layer1.0.add  ...relu
///     runs       conv1   bn1 (with relu)   layer1.0.bn2 (with add and relu)
///     until      conv1   relu              layer1.0.relu
///
/// A fused node has the name of its parameters, but stands where its last part
/// stood: only `until` of that one cuts behind all of it.

#pragma once

#include "engine/graph/graph.hpp"

#include <string>
#include <vector>

namespace pd {

/// A node of the network as it runs: fuse(place_inputs(whole)).
struct running_node {
  std::string name; ///< there, and in a stage that has all its parts
  std::string op;
  /// Of the last part in the network; empty if the network has no such node
  /// (a reorder of what the loader brings).
  std::string until;
  std::vector<int> inputs; ///< indices of earlier running nodes
  bool is_from_loader = false;
};

/// In the order in which they run. @pre whole is valid
[[nodiscard]] std::vector<running_node> running_nodes(const graph& whole);

} // namespace pd
