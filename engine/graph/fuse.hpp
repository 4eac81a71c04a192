/// Passes that make a network cheaper to run, and no different: data in, data
/// out. They run on the graph of one stage.
///
///     conv2d, linear + relu       -> the same with relu = true
///     batch_norm + relu           -> batch_norm with relu = true
///     batch_norm + relu6          -> batch_norm with relu6 = true
///     batch_norm + add(2) + relu  -> batch_norm with the other summand as its
///                                    second input and relu = true
///     batch_norm + add(2)         -> the same without the relu
///     add + relu                  -> add with relu = true
///     identity, dropout with p = 0 -> gone
///
/// Invariants:
///
/// (1) A fused node keeps the name of the node with the parameters, so
///     parameters keep their names; it stands where the last of them stood.
///
/// (2) A value is only fused away if exactly one node takes it, and it is not
///     among those that must stay visible.

#pragma once

#include "engine/graph/graph.hpp"

#include <set>
#include <string>
#include <vector>

namespace pd {

/// A graph made from another.
struct rewritten {
  graph net;
  /// By index in the first graph: the node that makes this value now; -1 if
  /// no node does.
  std::vector<int> index_of;
};

/// Puts one to_activation node behind each "input" of the loader, for those
/// that cannot read a loader's layout: all but conv2d, linear and flatten.
/// @pre from is valid; so for the rest
[[nodiscard]] rewritten place_inputs(const graph& from);

/// visible: names of nodes whose values somebody else reads (a stage's
/// outputs). Find them by index_of: a fused value has another node's name.
[[nodiscard]] rewritten fuse(const graph& from,
                             const std::set<std::string>& visible = {});

/// One pass after another; index_of is by the indices before the first.
[[nodiscard]] rewritten fuse(const rewritten& from,
                             const std::set<std::string>& visible = {});

} // namespace pd
