/// A schedule as data: for each worker the row of its actions, for one epoch.
///
///     schedule pipedream
///     replicas 1 1
///     microbatches 3
///     rounds 1 1
///     depth 2 1
///     worker 0: F0 F1 B0 U1 F2 B1@0 U2 B2@1 U3
///     worker 1: F0 B0 U1 F1 B1 U2 F2 B2 U3
///
/// Invariants:
///
/// (1) It starts and ends with an empty pipeline: no microbatch in flight.
///
/// (2) Round t of a stage is its microbatches from t * rounds[stage] on, and
///     update t + 1 applies their gradients. All replicas of a stage have the
///     same share of every round, and a timetable holds whole rounds only;
///     but an evaluation has no rounds and any count of microbatches.
///
/// (3) Versions count from the epoch's start (action.hpp).

#pragma once

#include "engine/schedule/action.hpp"
#include "engine/schedule/placement.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

struct timetable {
  std::string schedule; ///< by whose rules: "pipedream", ... or "evaluation"
  bool vertical_sync = false;
  /// An update waits until its round's gradients are whole on every stage: what
  /// it does depends on all of them.
  bool joint_updates = false;
  pipeline_shape shape;
  std::int64_t microbatches = 0;
  std::vector<std::int64_t> rounds; ///< microbatches of an update, by stage
  std::vector<int> depth;           ///< most in flight on a worker, by stage
  std::vector<row> rows;            ///< by worker
  bool operator==(const timetable&) const = default;
};

/// True for forwards only, of schedule "evaluation".
[[nodiscard]] bool is_evaluation(const timetable& all);

/// True if a round of one stage is a round of every stage.
[[nodiscard]] bool has_equal_rounds(const timetable& all);

/// Microbatches of the least round that is whole on every stage.
[[nodiscard]] std::int64_t common_round(const timetable& all);

/// How many versions an epoch makes at `stage`: what the next one starts from.
[[nodiscard]] std::int64_t versions_made(const timetable& all, int stage);

/// The most versions of one chunk's weights that must be kept at a time while
/// the row runs: from the oldest that is still to be used to the newest.
[[nodiscard]] std::int64_t versions_kept(const row& cells);

/// Everything but the rows. Errors: bad_value if a list has not one entry a
/// stage, a count is below 1, the microbatches fill no whole rounds, or joint
/// updates have unequal ones.
[[nodiscard]] result<void> check_head(const timetable& all);

/// The text above, with a newline after each line.
[[nodiscard]] std::string to_string(const timetable& all);

/// The reverse: parse(to_string(x)) == x. Blank lines and what follows a '#'
/// are passed over. Whether the rows make sense is for validate() to say.
/// Errors: bad_value with line, column, what was wanted and what was there.
[[nodiscard]] result<timetable> parse_timetable(std::string_view text);

} // namespace pd
