/// A network as data: nodes in topological order, by type name and settings.

#pragma once

#include "engine/base/error.hpp"
#include "engine/graph/attributes.hpp"

#include <string>
#include <vector>

namespace pd {

/// One operation, and whose outputs it takes.
struct node {
  std::string name; ///< unique; parameters are "<name>.<suffix>"
  std::string op;   ///< a type name of the registry: "conv2d"
  attributes settings;
  std::vector<int> inputs; ///< indices of earlier nodes
};

/// True for a softmax_loss.
[[nodiscard]] bool is_loss(const node& of);

/// True for a loss with the setting `auxiliary`: one of a head beside the
/// network, whose gradient helps in training. Nobody is told its value, and an
/// evaluation does not compute it. Paper: arXiv 1409.4842, section 5.
[[nodiscard]] bool is_auxiliary_loss(const node& of);

/// Invariants:
///
/// (1) Every input of a node stands before it; so the order of `nodes` is an
///     order of execution, and any index is a place to cut.
///
/// (2) Names are unique.
///
/// (3) Values from outside are nodes of the types "input" (an image or a row
///     of features, settings `extents` without the batch) and "labels".
struct graph {
  std::string name;
  std::vector<node> nodes;

  /// The index of a node. Errors: unknown_name with the nearest name.
  [[nodiscard]] result<int> find(const std::string& node_name) const;

  /// For each node, the indices of those that take its output.
  [[nodiscard]] std::vector<std::vector<int>> consumers() const;

  /// The last node of `block`: the node of that name, or the last of those
  /// whose names start with "<block>.".
  /// Errors: unknown_name with the nearest block.
  [[nodiscard]] result<int> last_of_block(const std::string& block) const;

  /// Holds the graph to its invariants. Errors: bad_value, unknown_name.
  [[nodiscard]] result<void> validate() const;
};

} // namespace pd
