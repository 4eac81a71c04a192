/// How fast samples come in.

#pragma once

#include <cstdint>
#include <deque>

namespace pd {

/// A rate over about the last second: updates that are told together were not
/// made at one moment. Begins at some time, with nothing.
class rate_meter {
public:
  explicit rate_meter(std::int64_t begin_us) : marks_{{begin_us, 0}} {}

  /// Samples a second, with so many more of them by now.
  /// @pre now_us does not go back
  [[nodiscard]] double add(std::int64_t samples, std::int64_t now_us);

private:
  struct mark {
    std::int64_t us = 0;
    std::int64_t samples = 0; ///< by then
  };

  std::deque<mark> marks_; ///< the second one is no older than a second
};

} // namespace pd
