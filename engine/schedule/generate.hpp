/// Makes timetables: one family of schedules a file, one function for all.
///
///     model-parallel    one microbatch in flight a replica
///     gpipe             all forwards of a round, all backwards, flush
///     1f1b              one forward, one backward, flush (PipeDream-flush)
///     pipedream         1F1B without a flush, weights stashed by microbatch
///     pipedream-2bw     1F1B without a flush, two buffers of weights
///     interleaved       1F1B over several chunks a worker, flush
///     zero-bubble       backward in halves (ZB-H1), flush
///     zero-bubble-2p    likewise, twice as many in flight (ZB-H2)
///
/// All but the first come in 1F1B-RR when stages are replicated. What each one
/// means is in docs/semantics.md; the papers are named in the families' files.

#pragma once

#include "engine/schedule/simulate.hpp"
#include "engine/schedule/timetable.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

struct schedule_options {
  std::string name = "pipedream";
  pipeline_shape shape = {};
  std::int64_t microbatches = 0; ///< in this epoch, all of them
  /// Microbatches of a round, where a schedule has rounds of its own;
  /// model-parallel and pipedream update after one a replica.
  std::int64_t round = 1;
  /// Most in flight on a worker, by stage; empty: auto (depth.hpp). Schedules
  /// whose order leaves no choice (model-parallel, gpipe, interleaved) take a
  /// list only to check that it is enough.
  std::vector<int> depth = {};
  /// pipedream only: every stage uses the version that stage 0 used. Between
  /// stages of unlike rounds it is the newest that holds no microbatch which
  /// stage 0's does not, or the newest there if that one is not made yet.
  bool vertical_sync = false;
  /// By virtual stage, for auto; empty: balanced_costs(shape).
  std::vector<stage_cost> costs = {};
};

/// Every name above, in that order.
[[nodiscard]] const std::vector<std::string>& schedule_names();

/// The timetable of one epoch.
///
/// Errors: unknown_name; bad_value, which says what the schedule wants, if it
/// does not admit the shape, the round, the count of microbatches or the
/// depth; of a depth that deadlocks, the cycle of waits.
[[nodiscard]] result<timetable> generate(const schedule_options& options);

/// Forwards only, of any count of microbatches (options.microbatches), with
/// the weights as they are; `name`, `round` and `vertical_sync` are not read.
/// Depth is how many a worker is ahead of the slowest stage downstream of it.
[[nodiscard]] result<timetable>
generate_evaluation(const schedule_options& options);

/// The largest count of microbatches, of those `available`, that fills whole
/// rounds on every stage: what an epoch has, the same for all stages.
/// Errors: those of generate() that do not depend on the count.
[[nodiscard]] result<std::int64_t>
round_microbatches(const schedule_options& options, std::int64_t available);

} // namespace pd
