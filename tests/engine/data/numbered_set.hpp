/// A dataset whose sample i is an image of i's and has the label i mod 7.

#pragma once

#include "engine/data/dataset.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <thread>

namespace pd::test {

class numbered_set final : public dataset {
public:
  explicit numbered_set(std::int64_t samples)
    : dataset{{"numbered", samples, 7, {2, 2, 1}}} {}

  result<void> read(sample_at which, std::span<float> image) const override {
    const auto index = which.index;
    ++reads;
    std::this_thread::sleep_for(delay);
    if (together != nullptr)
      together->arrive_and_wait();
    if (index == broken)
      return error{errc::bad_file, "it is broken"};
    if (index == deadly)
      throw std::runtime_error{"it is deadly"};
    std::ranges::fill(image, static_cast<float>(index));
    return {};
  }

  [[nodiscard]] std::int32_t label(std::int64_t index) const override {
    return static_cast<std::int32_t>(index % 7);
  }

  std::chrono::microseconds delay{0}; ///< of a read
  std::int64_t broken = -1;           ///< reading it is an error
  std::int64_t deadly = -1;           ///< reading it throws
  std::latch* together = nullptr; ///< that as many reads as it counts wait for
  mutable std::atomic<int> reads{0};
};

} // namespace pd::test
