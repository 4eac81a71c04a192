/// Runs a timetable in simulated seconds on a cluster: what a run will take,
/// before there is one. It models what the runtime does (actors/):
///
///     stage      one action after the other, as ready.hpp lets it; results
///                leave at an action's end
///     link_out   to each other worker one message after the other; links share
///                a port, and none waits for the receiver's stage
///     gradient_sync   a stage's replicas sum a bucket once all of them have it
///                and the bucket before is summed, beside the rest of the
///                backward; the update waits for the last
///
/// engine/schedule/simulate.hpp is the same with free links, and says of a
/// timetable what is left of it then.
///
/// Invariants:
///
/// (1) A function of its arguments: what happens at one time happens in the
///     order in which it was caused.
///
/// (2) A transfer gets of each port on its way the share of its connections in
///     all that are busy there, and runs at the least of them.

#pragma once

#include "engine/planner/fabric.hpp"
#include "engine/schedule/simulate.hpp"

#include <vector>

namespace pd {

/// A part of a stage's gradients that replicas sum at once.
struct bucket_load {
  double bytes = 0;
  /// Of the action that ends a microbatch (B or W), what is done by then.
  double whole_share = 1;
};

/// One minibatch at one virtual stage.
struct stage_load {
  double forward_s = 0;
  double input_s = 0;  ///< the input-gradient half of a backward
  double weight_s = 0; ///< the other half; a backward is both
  double again_s = 0;  ///< forward that the backward runs again, before it
  double update_s = 0; ///< once a round, the sum over the replicas apart
  std::vector<double> activation_bytes = {}; ///< to each stage downstream
  std::vector<double> gradient_bytes = {};   ///< to each stage upstream
  std::vector<bucket_load> buckets = {};     ///< in the order of the backward
};

/// What one worker sent to another.
struct link_use {
  int from = 0;
  int to = 0;
  std::int64_t messages = 0;
  double bytes = 0;
};

struct cluster_run {
  simulation actions;                ///< in seconds; deadlock among them
  std::vector<link_use> links;       ///< by sender, then by receiver
  std::vector<double> reduced_bytes; ///< by worker: sent in sums
};

/// loads: by virtual stage. @pre as simulate(); net.check(all workers)
[[nodiscard]] cluster_run simulate_cluster(const timetable& all,
                                           const topology& links,
                                           const std::vector<stage_load>& loads,
                                           const fabric& net);

/// Seconds a minibatch once the pipeline is full: between the starts of rounds
/// that are whole on every stage, the later half of them. Where these come
/// faster than the busiest worker can go on, the pipeline is still filling: as
/// fast as that worker. The mean of the whole run if it has fewer than three.
/// @pre run has no deadlock and runs something
[[nodiscard]] double steady_seconds(const timetable& all,
                                    const cluster_run& run);

} // namespace pd
