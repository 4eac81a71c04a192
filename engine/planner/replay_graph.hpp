/// A network that costs what a profile says and computes nothing: each node of
/// the profile is an op "replay" (ops/replay.hpp).

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/planner/profile.hpp"

namespace pd {

/// How a cluster is shrunk onto a smaller machine: all is in proportion if the
/// links are, bytes over time.
struct replay_scale {
  double time = 1;  ///< times the profile's times
  double bytes = 1; ///< times its bytes
};

/// The nodes under their names, in their order, then a loss that is always the
/// same. A sample stands for a minibatch of the profile: so a microbatch is one
/// sample. Loaders are left out; who takes what they bring takes the image,
/// which is one number.
/// @pre x.validate()
[[nodiscard]] graph replay_graph(const profile& x, const replay_scale& scale);

} // namespace pd
