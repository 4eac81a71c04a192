/// A number as a person would write it.

#pragma once

#include <array>
#include <cstdio>
#include <string>

namespace pd {

/// "12", "0.25", "33.3": four significant digits, no zeros behind.
[[nodiscard]] inline std::string short_number(double x) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", x);
  return text.data();
}

} // namespace pd
