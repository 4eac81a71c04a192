/// A plan as a job file.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/job/job.hpp"
#include "engine/planner/partition.hpp"

#include <string>

namespace pd {

/// The job that runs a plan: the model under the profile's name as it is
/// usually built, on synthetic data, or `base`, if it is not empty, a job file
/// whose model, data and all else is kept; with the plan's stages and schedule.
///
/// Errors: of load_job; unknown_name if no model has the network's name or the
/// model no such node; bad_value if the nodes are not in the model's order, or
/// a stage is not a part of that order.
[[nodiscard]] result<job> planned_job(const profile& of, const partition& from,
                                      const std::string& base,
                                      const registry& ops);

} // namespace pd
