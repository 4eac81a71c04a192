/// A plan as a job file.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/job/job.hpp"
#include "engine/planner/partition.hpp"

#include <string>

namespace pd {

/// What a planned job is made from.
struct job_origin {
  std::string profile; ///< where a rehearsal's goes
  std::string base;    ///< a job file whose model, data and all else is kept
};

/// The job that runs a plan, with its stages and schedule: of `base`; without
/// one, of the model under the network's name as it is usually built, on
/// synthetic data; and if no model has that name, a rehearsal of the profile.
///
/// Errors: of load_job; unknown_name if the model has no such node; bad_value
/// if the nodes are not in the model's order, or a stage is not a part of that
/// order.
[[nodiscard]] result<job> planned_job(const profile& of, const partition& from,
                                      const job_origin& origin,
                                      const registry& ops);

} // namespace pd
