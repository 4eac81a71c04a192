#include "engine/base/assert.hpp"
#include "engine/schedule/draw.hpp"
#include "engine/schedule/newest_versions.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace pd {

namespace {

constexpr double left = 84;       ///< for the workers' names
constexpr double top = 40;        ///< for title and legend
constexpr double row_height = 26; ///< with the gap
constexpr double bar_height = 20;
constexpr double least_width = 900; ///< of the whole span
constexpr double shortest_bar = 22; ///< unless that makes it too wide
constexpr double most_width = 20000;
constexpr double letter_width = 6.4;

/// A kind's class in the picture and its name in the legend, by act.
struct look {
  const char* style;
  const char* name;
  const char* fill;
};

constexpr std::array looks{
  look{"f", "forward", "#7fb3e6"},    look{"b", "backward", "#8fce8f"},
  look{"i", "input half", "#5cbfae"}, look{"w", "weight half", "#f0c36d"},
  look{"u", "update", "#333333"},     look{"e", "evaluate", "#c3a6e0"},
};

/// Pixels, with at most two digits behind the point.
std::string px(double x) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.2f", x);
  std::string made = text.data();
  made.erase(made.find_last_not_of('0') + 1);
  if (made.back() == '.')
    made.pop_back();
  return made;
}

std::string text_at(double x, double y, const std::string& text,
                    const std::string& style = "") {
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\""
         + (style.empty() ? "" : " class=\"" + style + "\"") + ">" + text
         + "</text>\n";
}

std::string rect_at(double x, double y, double width, double height,
                    const std::string& style, const std::string& tooltip) {
  return "<rect x=\"" + px(x) + "\" y=\"" + px(y) + "\" width=\"" + px(width)
         + "\" height=\"" + px(height) + "\" class=\"" + style + "\"><title>"
         + tooltip + "</title></rect>\n";
}

/// Only letters, digits, '-', '_' and spaces reach a picture from outside.
std::string plain(const std::string& text) {
  auto made = text;
  std::replace_if(
    made.begin(), made.end(),
    [](char c) { return c == '<' || c == '>' || c == '&' || c == '"'; }, '?');
  return made;
}

class picture {
public:
  picture(const timetable& all, const simulation& run) : all_{all}, run_{run} {
    PD_ASSERT_EQ(run.times.size(), all.rows.size());
    double shortest = run.span;
    for (const auto& worker : run.times)
      for (const auto& each : worker)
        if (each.end > each.start)
          shortest = std::min(shortest, each.end - each.start);
    const auto wanted =
      shortest > 0 ? shortest_bar * run.span / shortest : least_width;
    width_ = std::clamp(wanted, least_width, most_width);
    scale_ = run.span > 0 ? width_ / run.span : 0;
  }

  std::string draw() {
    open();
    title();
    legend();
    for (std::size_t worker = 0; worker < all_.rows.size(); ++worker)
      add_row(worker);
    axis();
    return made_ + "</svg>\n";
  }

private:
  [[nodiscard]] double height() const {
    return top + row_height * (static_cast<double>(all_.rows.size()) + 1) + 8;
  }

  void open() {
    const auto size = px(left + width_ + 90) + " " + px(height());
    made_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size
            + "\" width=\"" + px(left + width_ + 90) + "\" height=\""
            + px(height()) + "\">\n<style>\ntext { font: 11px sans-serif; "
            + "fill: #222222 }\n.n { text-anchor: middle }\n"
            + ".t { font-weight: bold }\n.l { stroke: #cccccc }\n";
    for (const auto& each : looks)
      made_ += std::string{"."} + each.style + " { fill: " + each.fill
               + "; stroke: #ffffff }\n";
    made_ += "</style>\n<rect width=\"100%\" height=\"100%\" "
             "fill=\"#ffffff\"/>\n";
  }

  void title() {
    std::array<char, 32> bubble{};
    std::snprintf(bubble.data(), bubble.size(), "%.1f", //
                  100 * bubble_share(run_));
    made_ += text_at(8, 16,
                     plain(all_.schedule) + ", stages " + to_string(all_.shape)
                       + ", " + std::to_string(all_.microbatches)
                       + " microbatches, bubble " + bubble.data() + " %",
                     "t");
  }

  /// The kinds that stand in a row.
  void legend() {
    std::array<bool, looks.size()> is_used{};
    for (const auto& cells : all_.rows)
      for (const auto& each : cells)
        is_used[static_cast<std::size_t>(each.kind)] = true;
    double x = left;
    for (std::size_t i = 0; i < looks.size(); ++i) {
      if (!is_used[i])
        continue;
      made_ += rect_at(x, 24, 12, 12, looks[i].style, looks[i].name);
      made_ += text_at(x + 17, 34, looks[i].name);
      x += 90;
    }
  }

  void add_row(std::size_t worker) {
    const auto y = top + row_height * static_cast<double>(worker);
    made_ += text_at(8, y + 14, "worker " + std::to_string(worker));
    newest_versions newest;
    const auto& times = run_.times[worker];
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto& cell = all_.rows[worker][i];
      add_cell(cell, to_string(cell, newest.of(cell.chunk)), times[i], y);
      newest.pass(cell);
    }
    made_ +=
      text_at(left + width_ + 8, y + 14,
              std::to_string(run_.peak_in_flight[worker]) + " in flight");
  }

  void add_cell(const action& cell, const std::string& name, time_span when,
                double y) {
    const auto* style = looks[static_cast<std::size_t>(cell.kind)].style;
    const auto x = left + when.start * scale_;
    const auto width = (when.end - when.start) * scale_;
    const auto tooltip = name + ": " + px(when.start) + " to " + px(when.end);
    if (width <= 0) {
      made_ += rect_at(x - 1.5, y - 1, 3, bar_height + 2, style, tooltip);
      return;
    }
    made_ += rect_at(x, y, width, bar_height, style, tooltip);
    if (letter_width * static_cast<double>(name.size()) < width)
      made_ += text_at(x + width / 2, y + 14, name, "n");
  }

  /// Ten ticks.
  void axis() {
    const auto y = top + row_height * static_cast<double>(all_.rows.size());
    for (int i = 0; i <= 10; ++i) {
      const auto x = left + width_ * i / 10;
      made_ += "<path class=\"l\" d=\"M" + px(x) + " " + px(top - 2) + "V"
               + px(y + 4) + "\"/>\n";
      made_ += text_at(x, y + 18, px(run_.span * i / 10), "n");
    }
  }

  const timetable& all_;
  const simulation& run_;
  double width_ = least_width;
  double scale_ = 0; ///< pixels a unit of time
  std::string made_;
};

} // namespace

std::string draw_svg(const timetable& all, const simulation& run) {
  return picture{all, run}.draw();
}

} // namespace pd
