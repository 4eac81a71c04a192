#include "engine/schedule/grid.hpp"

#include "engine/schedule/newest_versions.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

constexpr std::size_t head_width = 14;
constexpr std::size_t workers_around = 2;
constexpr std::size_t columns_around = 5;

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

/// The window of a timetable around the first of some cells, as a table of
/// texts.
class cell_window {
public:
  cell_window(const timetable& all, const std::vector<grid_cell>& marked) {
    const auto worker = static_cast<std::size_t>(marked[0].worker);
    const auto column = marked[0].column;
    for (const auto& each : marked)
      marked_[static_cast<std::size_t>(each.worker)] = each.column;
    first_worker_ = worker - std::min(worker, workers_around);
    first_column_ = column - std::min(column, columns_around);
    const auto last = std::min(all.rows.size(), worker + workers_around + 1);
    auto columns = column + 1;
    for (auto w = first_worker_; w < last; ++w) {
      texts_.push_back(texts_of(all.rows[w]));
      columns = std::max(columns, texts_.back().size());
    }
    columns = std::min(columns, column + columns_around + 1);
    for (auto& each : texts_)
      each.resize(columns);
    measure(columns);
  }

  [[nodiscard]] std::string print() const {
    auto made = line("", [](std::size_t c) { return std::to_string(c); });
    for (std::size_t w = 0; w < texts_.size(); ++w) {
      made += line("worker " + std::to_string(first_worker_ + w),
                   [&](std::size_t c) { return texts_[w][c]; });
      if (const auto mark = marked_.find(first_worker_ + w);
          mark != marked_.end() && is_shown(mark->second))
        made += line("", [&](std::size_t c) {
          return std::string(c == mark->second ? widths_[c - first_column_] : 0,
                             '^');
        });
    }
    return made;
  }

private:
  [[nodiscard]] bool is_shown(std::size_t column) const {
    return column >= first_column_ && column - first_column_ < widths_.size();
  }

  void measure(std::size_t columns) {
    for (auto c = first_column_; c < columns; ++c) {
      widths_.push_back(std::to_string(c).size());
      for (const auto& each : texts_)
        widths_.back() = std::max(widths_.back(), each[c].size());
    }
  }

  template <class Text>
  [[nodiscard]] std::string line(const std::string& head, Text&& text) const {
    auto made = padded(head, head_width);
    for (std::size_t i = 0; i < widths_.size(); ++i)
      made += padded(text(first_column_ + i), widths_[i] + 2);
    made.erase(made.find_last_not_of(' ') + 1);
    return made + "\n";
  }

  std::map<std::size_t, std::size_t> marked_; ///< column, by worker
  std::size_t first_worker_ = 0, first_column_ = 0;
  std::vector<std::vector<std::string>> texts_; ///< by worker, all columns
  std::vector<std::size_t> widths_;             ///< by column shown
};

} // namespace

std::string grid_around(const timetable& all,
                        const std::vector<grid_cell>& marked) {
  return cell_window{all, marked}.print();
}

} // namespace pd
