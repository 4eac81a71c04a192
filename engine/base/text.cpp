#include "engine/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace pd {

namespace {

/// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

} // namespace

std::string nearest(std::string_view name,
                    std::span<const std::string> candidates) {
  std::string best;
  auto best_distance = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const auto& each : candidates)
    if (const auto d = edit_distance(name, each); d < best_distance) {
      best_distance = d;
      best = each;
    }
  return best;
}

std::string did_you_mean(std::string_view name,
                         std::span<const std::string> candidates) {
  const auto near = nearest(name, candidates);
  return near.empty() ? "" : " (did you mean '" + near + "'?)";
}

std::string join(std::span<const std::string> parts,
                 std::string_view separator) {
  std::string text;
  for (const auto& each : parts) {
    if (!text.empty())
      text += separator;
    text += each;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    text.remove_prefix(end + 1);
  }
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array units{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit)
    value /= 1024;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

std::string format_duration(double seconds) {
  const auto whole = std::llround(seconds);
  if (whole < 60)
    return fmt::format("{} s", whole);
  if (whole < 3600)
    return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

} // namespace pd
