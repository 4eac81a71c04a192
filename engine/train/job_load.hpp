/// What a job's stages cost by a profile, as a simulation wants it: times from
/// the profile; bytes, buckets and memory from the plans that a run would use.

#pragma once

#include "engine/planner/profile.hpp"
#include "engine/planner/simulation.hpp"
#include "engine/train/worker_plan.hpp"

#include <vector>

namespace pd {

struct job_load {
  std::vector<stage_load> loads;                ///< by virtual stage
  std::vector<std::vector<memory_item>> memory; ///< by stage, of replica 0
};

/// Errors: unknown_name if profile and network have not the same nodes;
/// bad_value if a minibatch is no microbatch of the job; those of plan_worker.
[[nodiscard]] result<job_load>
load_of_job(const deployment& all, const profile& from, const registry& ops);

} // namespace pd
