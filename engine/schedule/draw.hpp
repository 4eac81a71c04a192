/// Pictures of a timetable as it runs in simulated time.
///
///     worker 0 F0-F1-      B0----   B1----
///     worker 1    F0-B0----F1-B1----
///              0                          9

#pragma once

#include "engine/schedule/simulate.hpp"

#include <string>

namespace pd {

/// One line a worker, `columns` characters for the whole span, or four for the
/// shortest action if that is 0 (2000 in all at most): an action is its
/// name and dashes up to its end, as far as there is room. What takes no time
/// is not drawn. Then the time at both ends, the bubble, the most in flight.
/// @pre run is of `all`.
[[nodiscard]] std::string draw_text(const timetable& all, const simulation& run,
                                    int columns = 0);

/// A picture that needs nothing else: a bar an action in the colour of its
/// kind, its name where there is room and its times as a tooltip, updates as
/// marks, a time axis and a legend. @pre run is of `all`.
[[nodiscard]] std::string draw_svg(const timetable& all, const simulation& run);

} // namespace pd
