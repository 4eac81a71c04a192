/// A rehearsal's job: model.file is a profile, run.device "replay".

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/job/job.hpp"
#include "engine/planner/profile.hpp"

#include <string>

namespace pd {

/// True if its network is a profile's: run.device is "replay".
[[nodiscard]] bool is_replay_job(const job& from);

/// The profile in model.file, scaled as the job says.
/// Errors: of the file; bad_value if the job wants what a rehearsal has not.
[[nodiscard]] result<profile> replayed_profile(const job& from);

/// The network that takes its times and bytes. Errors: as above.
[[nodiscard]] result<graph> build_replay_graph(const job& from);

/// What `from` becomes to be rehearsed: the same stages, schedule, optimizer
/// and workers, on the profile at `profile_path`, for so many minibatches.
[[nodiscard]] job rehearsal_of(const job& from, const std::string& profile_path,
                               std::int64_t minibatches);

} // namespace pd
