#include "engine/program/learning_rate.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pd {

namespace {

double without_warmup(const learning_rate_policy& p, double epoch) {
  const auto done = std::clamp(epoch / std::max(p.epochs, 1e-9), 0.0, 1.0);
  if (p.name == "step")
    return p.base * std::pow(p.gamma, std::floor(epoch / p.step_epochs));
  if (p.name == "exponential")
    return p.base * std::pow(p.gamma, std::floor(epoch));
  if (p.name == "polynomial")
    return p.final + (p.base - p.final) * std::pow(1 - done, p.power);
  if (p.name == "cosine")
    return p.final
           + (p.base - p.final) * (1 + std::cos(std::numbers::pi * done)) / 2;
  return p.base;
}

} // namespace

double learning_rate_policy::at(std::int64_t step) const {
  const auto now = static_cast<double>(step);
  const auto each = static_cast<double>(updates_per_epoch);
  const auto rate = without_warmup(*this, now / each);
  const auto warmup = warmup_epochs * each;
  return now < warmup ? rate * std::min(1.0, (now + 1) / warmup) : rate;
}

} // namespace pd
