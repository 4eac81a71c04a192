/// Measures the nodes of a job's network, in training steps of the whole
/// network as one stage: the same kernels, layouts, fusions and threads as a
/// worker of the job has, one node behind the other as they run.
///
///     step    forward | backward | update      by the clock, nothing between
///     step    n n n n | n n n n n | u          each piece of work by the clock
///
/// The two kinds of step take turns, so what disturbs the one disturbs the
/// other; the sum of the nodes' medians should be the median of the steps.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/job/job.hpp"
#include "engine/planner/profile.hpp"

#include <functional>

namespace pd {

struct timing_options {
  int repeats = 20; ///< steps of each kind that count
  int warmups = 3;  ///< steps before that
  /// Told before each step how many are done.
  std::function<void(int done, int all)> on_step = {};
};

struct timed_network {
  profile nodes;
  measured_time step; ///< a whole one, by itself
};

/// Forward, backward and update of every node as a median of `repeats` steps on
/// random data, after `warmups`. A node has the name that a stage's `until`
/// calls its end by; what a loader brings has no node, and a reorder of it is
/// the first one's that takes it.
///
/// Errors: those of deploy() and plan_stage(); out_of_memory.
/// @pre options.repeats > 0
[[nodiscard]] result<timed_network>
time_network(const job& from, const registry& ops,
             const timing_options& options = {});

} // namespace pd
