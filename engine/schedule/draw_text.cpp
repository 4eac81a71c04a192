#include "engine/base/assert.hpp"
#include "engine/schedule/draw.hpp"
#include "engine/schedule/short_number.hpp"

#include <algorithm>
#include <cmath>

namespace pd {

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Writes `name` and dashes over [first, last) of the line.
void put(std::string& line, std::size_t first, std::size_t last,
         const std::string& name) {
  last = std::min(last, line.size());
  for (auto i = first; i < last; ++i)
    line[i] = i - first < name.size() ? name[i - first] : '-';
}

std::string line_of(const row& cells, const std::vector<time_span>& times,
                    double scale, int columns) {
  std::string line(at(columns), ' ');
  for (std::size_t i = 0; i < times.size(); ++i)
    if (times[i].end > times[i].start)
      put(line, at(std::lround(times[i].start * scale)),
          at(std::lround(times[i].end * scale)), to_string(cells[i]));
  return line;
}

/// Room for a name in the shortest action.
int enough_columns(const simulation& run) {
  double shortest = run.span;
  for (const auto& worker : run.times)
    for (const auto& each : worker)
      if (each.end > each.start)
        shortest = std::min(shortest, each.end - each.start);
  const auto made = shortest > 0 ? 4 * run.span / shortest : 0;
  return static_cast<int>(std::lround(std::clamp(made, 10.0, 2000.0)));
}

} // namespace

std::string draw_text(const timetable& all, const simulation& run,
                      int columns) {
  PD_ASSERT_EQ(run.times.size(), all.rows.size());
  if (columns <= 0)
    columns = enough_columns(run);
  const auto scale = run.span > 0 ? columns / run.span : 0;
  std::string made;
  const auto margin =
    ("worker " + std::to_string(all.rows.size() - 1) + " ").size();
  for (std::size_t worker = 0; worker < all.rows.size(); ++worker) {
    auto line = "worker " + std::to_string(worker);
    line.resize(margin, ' ');
    line += line_of(all.rows[worker], run.times[worker], scale, columns);
    line.erase(line.find_last_not_of(' ') + 1);
    made += line + "\n";
  }
  const auto end = short_number(run.span);
  auto axis = std::string(margin, ' ') + "0";
  axis.resize(std::max(axis.size() + 1, margin + at(columns)), ' ');
  made += axis + end + "\n";
  made += "bubble " + short_number(100 * bubble_share(run))
          + " %, most in flight on a worker";
  for (const auto each : run.peak_in_flight)
    made += " " + std::to_string(each);
  return made + "\n";
}

} // namespace pd
