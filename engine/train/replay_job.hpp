/// A rehearsal's job: model.file is a profile, run.device "replay".

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/job/job.hpp"
#include "engine/planner/profile.hpp"

#include <string>

namespace pd {

/// True if its network is a profile's: run.device is "replay".
[[nodiscard]] bool is_replay_job(const job& from);

/// A profile of any kind: JSON, or PipeDream's graph.txt.
/// Errors: of the file, with its path.
[[nodiscard]] result<profile> read_any_profile(const std::string& path);

/// The network that takes the profile's times and bytes, scaled as the job
/// says. Errors: of the profile; bad_value if the job wants what a rehearsal
/// has not.
[[nodiscard]] result<graph> build_replay_graph(const job& from);

/// What `from` becomes to be rehearsed: the same stages, schedule, optimizer
/// and workers, on the profile at `profile_path`, for so many minibatches.
[[nodiscard]] job rehearsal_of(const job& from, const std::string& profile_path,
                               std::int64_t minibatches);

} // namespace pd
