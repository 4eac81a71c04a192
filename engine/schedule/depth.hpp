/// How many microbatches are in flight on a worker: depth = "auto".

#pragma once

#include "engine/schedule/families.hpp"
#include "engine/schedule/simulate.hpp"

#include <vector>

namespace pd {

/// The smallest depth that simulation finds free of deadlock and of the
/// greatest throughput, in this sense: no stage's depth can be lowered, or
/// raised by up to 2, for a shorter time, nor lowered for the same time. Where
/// that leaves several, it is the one found from depths in step with the
/// workers downstream, settled stage by stage from the last to the first. On
/// a straight pipeline whose stages keep pace it is S - s at stage s.
///
/// costs: by virtual stage.
/// @pre check_head(head); its depth is the most that is useful, by stage.
[[nodiscard]] std::vector<int>
search_depth(const family& how, timetable head,
             const std::vector<stage_cost>& costs);

} // namespace pd
