/// What a sum over replicas takes on a cluster, by the way that the engine
/// takes for it (engine/base/sum_route): the busiest link of all levels, links
/// full.

#pragma once

#include "engine/base/sum_route.hpp"
#include "engine/planner/cluster.hpp"

namespace pd {

/// What best_sum_route is told of the workers [place, place + replicas), which
/// are next to each other, in a time that does not depend on their number. A
/// machine is a group of level 1, or a worker if there is one level.
[[nodiscard]] sum_loads loads_of(const cluster& on, int place, int replicas);

/// Seconds for each byte of a large sum over them. A transfer loads the lowest
/// level that joins both ends, and no other.
[[nodiscard]] double sync_seconds_per_byte(const cluster& on, int place,
                                           int replicas);

} // namespace pd
