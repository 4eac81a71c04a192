/// A network that costs what a profile says and computes nothing: each node of
/// the profile is an op "replay" (ops/replay.hpp).

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/planner/profile.hpp"

#include <string>

namespace pd {

/// The nodes under their names, in their order, then a loss that is always the
/// same. A sample stands for a minibatch of the profile: so a microbatch is one
/// sample. Loaders are left out; who takes what they bring takes the image,
/// which is one number.
/// @pre x.validate()
[[nodiscard]] graph replay_graph(const profile& x);

/// True for the nodes behind those of the profile, which take no time.
[[nodiscard]] bool is_replay_end(const std::string& name);

} // namespace pd
