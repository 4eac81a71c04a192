#include "engine/program/round_sums.hpp"

#include "engine/base/assert.hpp"

#include <numeric>

namespace pd {

std::optional<double> round_sums::add(std::int64_t round, int stage,
                                      double value) {
  PD_ASSERT(stage >= 0 && stage < stages_);
  auto& here = rounds_[round];
  here.values.resize(static_cast<std::size_t>(stages_));
  here.values[static_cast<std::size_t>(stage)] = value;
  if (++here.count < stages_)
    return std::nullopt;
  const auto whole = rounds_.extract(round);
  const auto& values = whole.mapped().values;
  return std::accumulate(values.begin(), values.end(), 0.0);
}

} // namespace pd
