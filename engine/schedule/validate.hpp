/// Says whether a timetable means what its schedule promises and runs to its
/// end. Nothing is run that this has not accepted.
///
///     worker 1, cell 2: B1 stands before F1
///                  0   1   2   3
///       worker 0  F0  F1  B0  U1
///       worker 1  F0  B0  B1  U1
///                         ^^
///
/// Checked, in this order:
///
/// (1) Every cell exists: its chunk, its microbatch on this replica, its
///     version; no cell stands twice.
///
/// (2) A row is ordered: F before B or I, I before W; an update after all
///     backwards of its round and before those of the next; no more in flight
///     than the depth.
///
/// (3) F, B, I and W use the version that the schedule's rule says, which an
///     update before them in the row has made; pipedream-2bw keeps two.
///
/// (4) A row is complete: of each microbatch F and B (or I and W) once for each
///     chunk, and every update; of an evaluation every E.
///
/// (5) All rows together run to their ends, as ready.hpp has it.
///
/// (6) A chunk's forwards, and its backwards (B or I), go from one common round
///     to the next. All replicas of a stage end the rounds of their chunks in
///     the same order.
///
/// [Note: stopped passes] A pass that is stopped ends after a common round
/// (common_round) that no worker is beyond. Rows leave out the rest, so what is
/// sent on is what the row says with the rest left out. A receiver in another
/// process that has not heard of the end yet reads the same row with nothing
/// left out. Both number what has come alike if no microbatch after the end
/// stands before one that is not: within a round any order will do.

#pragma once

#include "engine/schedule/timetable.hpp"
#include "engine/schedule/topology.hpp"

namespace pd {

/// Errors: bad_value, of several lines: what is wrong and where, then the rows
/// around it with a mark under the cell; for a deadlock the cycle of waits,
/// with a mark under each of its cells.
/// unknown_name if no schedule has this name.
[[nodiscard]] result<void> validate(const timetable& all,
                                    const topology& links);

/// With neighbours for links.
[[nodiscard]] result<void> validate(const timetable& all);

} // namespace pd
