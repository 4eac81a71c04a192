#include "engine/schedule/grid.hpp"

#include "engine/schedule/newest_versions.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr int workers_around = 2;
constexpr std::size_t columns_around = 5;

/// What is shown: [first, last) in both directions.
struct window {
  std::size_t first_worker, last_worker, first_column, last_column;
};

/// Right aligned.
std::string padded(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::vector<std::string> texts_of(const row& cells) {
  newest_versions newest;
  std::vector<std::string> made;
  made.reserve(cells.size());
  for (const auto& each : cells) {
    made.push_back(to_string(each, newest.of(each.chunk)));
    newest.pass(each);
  }
  return made;
}

window window_of(const timetable& all, int worker, std::size_t column) {
  const auto workers = static_cast<int>(all.rows.size());
  window made{
    static_cast<std::size_t>(std::max(0, worker - workers_around)),
    static_cast<std::size_t>(std::min(workers, worker + workers_around + 1)),
    column - std::min(column, columns_around), column + 1};
  std::size_t longest = column + 1;
  for (auto w = made.first_worker; w < made.last_worker; ++w)
    longest = std::max(longest, all.rows[w].size());
  made.last_column = std::min(longest, column + columns_around + 1);
  return made;
}

} // namespace

std::string grid_around(const timetable& all, int worker, std::size_t column) {
  const auto shown = window_of(all, worker, column);
  std::vector<std::vector<std::string>> texts;
  std::vector<std::size_t> widths;
  for (auto w = shown.first_worker; w < shown.last_worker; ++w)
    texts.push_back(texts_of(all.rows[w]));
  std::string head = padded("", 14);
  std::string mark = head;
  for (auto c = shown.first_column; c < shown.last_column; ++c) {
    auto width = std::to_string(c).size();
    for (auto& each : texts) {
      each.resize(std::max(each.size(), c + 1));
      width = std::max(width, each[c].size());
    }
    widths.push_back(width);
    head += padded(std::to_string(c), width + 2);
    const auto marked = c == column ? std::string(width, '^') : "";
    if (c <= column)
      mark += padded(marked, width + 2);
  }
  auto made = head + "\n";
  for (auto w = shown.first_worker; w < shown.last_worker; ++w) {
    made += padded("worker " + std::to_string(w), 14);
    for (auto c = shown.first_column; c < shown.last_column; ++c)
      made += padded(texts[w - shown.first_worker][c],
                     widths[c - shown.first_column] + 2);
    made.erase(made.find_last_not_of(' ') + 1);
    made += "\n";
    if (static_cast<int>(w) == worker)
      made += mark + "\n";
  }
  return made;
}

} // namespace pd
