/// What a worker of a stage must hold, from the schedule and from how many
/// workers are downstream.
///
///     weights       a copy for each version that is kept
///     gradients     one copy more, momentum another
///     activations   of each minibatch in flight: the stage's stash, and what
///                   came from the stage before
///
/// With d workers from the stage on and r replicas of it, ceil(d / r)
/// minibatches in flight keep a worker busy in 1F1B; PipeDream's NOAM. Where a
/// backward comes in halves, a minibatch is in flight up to its weight half,
/// which every stage puts off as far as the first one: d is all workers.
/// Papers: PipeDream (arXiv 1806.03377), section 3.3; 2BW (arXiv 2006.09503);
/// recomputation, GPipe (arXiv 1811.06965).

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>

namespace pd {

/// How a job will run, as far as a plan depends on it.
struct plan_schedule {
  std::string name = "pipedream";
  std::int64_t microbatches = 0; ///< of a round, if the schedule has its own
  bool recompute = false;
};

/// Fills in the microbatches of a round if they are 0: 4 a worker.
/// Errors: unknown_name; not_supported for a schedule whose time is no
/// bottleneck's (model-parallel) or whose workers have several stages
/// (interleaved); bad_value for microbatches in a schedule without them.
[[nodiscard]] result<plan_schedule> resolve(plan_schedule schedule,
                                            int workers);

/// True if an update is of one minibatch a replica.
[[nodiscard]] bool has_no_round(const plan_schedule& schedule);

/// Where a stage is among the workers.
struct stage_place {
  int workers = 1; ///< of all stages
  int before = 0;  ///< of them, those of the stages before it
  int replicas = 1;
};

/// The minibatches in flight on a worker of a stage.
[[nodiscard]] std::int64_t in_flight(const plan_schedule& schedule,
                                     const stage_place& at);

/// The versions of its weights that a worker keeps.
[[nodiscard]] std::int64_t versions(const plan_schedule& schedule,
                                    std::int64_t in_flight);

struct stage_bytes {
  double parameters = 0;
  double stash = 0; ///< of one minibatch
  double input = 0; ///< from the stage before, likewise
};

[[nodiscard]] double memory_bytes(const plan_schedule& schedule,
                                  const stage_bytes& of,
                                  std::int64_t in_flight);

} // namespace pd
