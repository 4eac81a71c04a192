/// Shapes and schedules to hold a property against, and timetables from text.

#pragma once

#include "engine/schedule/generate.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pd {

/// All shapes of `stages` stages with 1 to `most` replicas each.
inline std::vector<pipeline_shape> shapes_of(int stages, int most) {
  std::vector<pipeline_shape> made{{}};
  for (int stage = 0; stage < stages; ++stage) {
    std::vector<pipeline_shape> longer;
    for (const auto& each : made)
      for (int replicas = 1; replicas <= most; ++replicas) {
        longer.push_back(each);
        longer.back().replicas.push_back(replicas);
      }
    made = std::move(longer);
  }
  return made;
}

/// `stages` stages of one worker each.
inline pipeline_shape straight(int stages, int chunks = 1) {
  return {std::vector<int>(static_cast<std::size_t>(stages), 1), chunks};
}

inline timetable generated(const schedule_options& options) {
  auto made = generate(options);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

inline timetable parsed(std::string_view text) {
  auto made = parse_timetable(text);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

/// "B1" -> its text in each row: what a person compares.
inline std::string rows_of(const timetable& all) {
  std::string text;
  for (const auto& each : all.rows)
    text += to_string(each) + "\n";
  return text;
}

} // namespace pd
