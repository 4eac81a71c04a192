/// A part of a timetable as text, with marks under some cells.

#pragma once

#include "engine/schedule/timetable.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace pd {

struct grid_cell {
  int worker = 0;
  std::size_t column = 0; ///< may be one past the end of the row
};

/// The rows of workers and the columns near the first cell, and a line of '^'
/// under each of the cells that is among them. @pre !marked.empty(), one cell
/// a worker
[[nodiscard]] std::string grid_around(const timetable& all,
                                      const std::vector<grid_cell>& marked);

} // namespace pd
