/// Where a network can be cut: between a set of nodes that is closed under
/// inputs, and the rest.
///
///     a ─▶ b ─▶ d      cuts: {a} {a b} {a c} {a b c} {a b c d}
///     └──▶ c ──┘
///
/// PipeDream names such a set by its last nodes, an antichain. A stage is what
/// one cut has and an earlier one has not.
///
/// Invariants:
///
/// (1) Cuts ascend: one that is part of another stands before it. The last one
///     has all nodes.
///
/// (2) Left out are loaders (every stage that wants one has its own) and
///     PipeDream's __getitem__ nodes whose output nobody takes.
///
/// (3) What a node computes from the first source's output is cut off together
///     with all it takes: a further source, such as an embedding that only a
///     decoder takes, is in no cut before its first taker.
///
/// Paper: PipeDream, SOSP 2019, section 3.1; arXiv 1806.03377.

#pragma once

#include "engine/planner/node_set.hpp"
#include "engine/planner/profile.hpp"

#include <string>
#include <vector>

namespace pd {

/// Amounts are those of all nodes before the cut.
struct cut_point {
  node_set has; ///< nodes of the profile
  double forward_us = 0;
  double backward_us = 0;
  double update_us = 0; ///< once a round
  double parameter_bytes = 0;
  double stash_bytes = 0;
  double crossing_bytes = 0; ///< outputs that nodes behind the cut take
  /// The same as PipeDream counts it: the outputs of the last nodes, and of
  /// each node from which a way leads to one of them and an edge does not lead
  /// on to that one. Inside of a branch that is more than what crosses.
  double antichain_bytes = 0;
};

struct cut_list {
  std::vector<cut_point> cuts;
  /// By cut, the earlier ones that are part of it, ascending.
  std::vector<std::vector<int>> parts;
  /// Nodes in their order, where all orders would be too many cuts: in words.
  std::vector<std::string> kept_in_order;

  [[nodiscard]] int size() const { return static_cast<int>(cuts.size()); }
};

enum class cut_rule {
  antichains, ///< every closed set
  prefixes,   ///< of the profile's order only: where a job can be cut
};

inline constexpr int most_cuts = 4096;

/// Finds the cuts. Where a place of the network has so many branches that the
/// cuts are more than most_cuts, its nodes are kept in the profile's order.
///
/// Errors: bad_value if no node is left; not_supported if the cuts are too
/// many all the same, which names the widest place.
[[nodiscard]] result<cut_list> find_cuts(const profile& of, cut_rule rule);

/// The nodes of the stage between two cuts, ascending. from: -1 for none.
[[nodiscard]] std::vector<int> nodes_between(const cut_list& all, int from,
                                             int to);

} // namespace pd
