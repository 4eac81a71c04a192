#include "engine/train/rate_meter.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t window_us = 1'000'000;

} // namespace

double rate_meter::add(std::int64_t samples, std::int64_t now_us) {
  const mark now{now_us, marks_.back().samples + samples};
  marks_.push_back(now);
  while (marks_.size() > 2 && marks_[1].us <= now_us - window_us)
    marks_.pop_front();
  const auto& first = marks_.front();
  const auto us = std::max<std::int64_t>(now.us - first.us, 1);
  return 1e6 * static_cast<double>(now.samples - first.samples)
         / static_cast<double>(us);
}

} // namespace pd
