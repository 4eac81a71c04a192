/// Runs a timetable in simulated time: how long it takes, where it idles, what
/// it keeps, or why it never ends. What may run when is ready.hpp's to say.

#pragma once

#include "engine/schedule/ready.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace pd {

/// What one microbatch takes at one virtual stage, in any one unit of time.
struct stage_cost {
  double forward = 1;
  double input = 1;  ///< the input-gradient half of a backward
  double weight = 1; ///< the other half; a backward is both
  double update = 0; ///< with the reduction over the replicas
  double evaluate = 1;
  double activation_transfer = 0; ///< to a stage downstream, beside compute
  double gradient_transfer = 0;   ///< to a stage upstream, likewise
};

/// What an action takes by itself.
[[nodiscard]] double cost_of(act kind, const stage_cost& cost);

/// One unit a half at each stage times its replicas: stages that keep pace.
/// A worker's chunks share what one stage would take.
[[nodiscard]] std::vector<stage_cost> balanced_costs(const pipeline_shape& at);

struct time_span {
  double start = 0;
  double end = 0;
};

/// One wait of a deadlock: `worker` cannot run its action number `column`,
/// because `on_worker` has not run `awaited`.
struct wait_link {
  int worker = 0;
  std::size_t column = 0;
  missing lack;
  int on_worker = 0;
  action awaited;
};

struct simulation {
  std::vector<std::vector<time_span>> times; ///< by worker, by action
  std::vector<double> busy;                  ///< by worker
  std::vector<std::int64_t> peak_in_flight;  ///< by worker, all chunks
  double span = 0;                           ///< from 0 to the last end
  /// The cycle of waits if it did not run to its end; then only what ran has
  /// times. Each waits on the next, the last on the first.
  std::vector<wait_link> deadlock;
};

/// costs: by virtual stage. An action starts as soon as its worker is free and
/// it lacks nothing; transfers take no worker's time.
/// @pre check_head(all), a row for each worker, and every cell is known to its
/// worker (worker_progress::knows) and stands once.
[[nodiscard]] simulation simulate(const timetable& all,
                                  const std::vector<stage_cost>& costs,
                                  const topology& links);

/// With neighbours for links.
[[nodiscard]] simulation simulate(const timetable& all,
                                  const std::vector<stage_cost>& costs);

/// The share of span * workers in which no action ran.
[[nodiscard]] double bubble_share(const simulation& run);

/// Likewise, of the time from a worker's own first start to its own last end:
/// what is left of the bubble when epochs follow without a pause.
[[nodiscard]] double steady_bubble_share(const simulation& run);

/// "worker 1 waits for F3 of worker 0, which waits for B1 of worker 1".
/// @pre !cycle.empty()
[[nodiscard]] std::string to_string(const std::vector<wait_link>& cycle);

} // namespace pd
