/// A float32 that somebody wrote as a decimal, as that decimal.

#pragma once

#include <array>
#include <charconv>

namespace pd {

/// The number of the fewest digits that rounds to x: 1e-5 for the float32
/// nearest to it, which is 9.99999974738e-06.
[[nodiscard]] inline double shortest(float x) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), x).ptr;
  double made = 0;
  std::from_chars(text.data(), end, made);
  return made;
}

} // namespace pd
