/// A part of a timetable as text, with a mark under one cell.

#pragma once

#include "engine/schedule/timetable.hpp"

#include <cstddef>
#include <string>

namespace pd {

/// The rows of workers near `worker`, the columns near `column`, and a line of
/// '^' under that cell; `column` may be one past the end of its row.
[[nodiscard]] std::string grid_around(const timetable& all, int worker,
                                      std::size_t column);

} // namespace pd
