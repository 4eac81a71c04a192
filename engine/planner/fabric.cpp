#include "engine/planner/fabric.hpp"

#include <string>

namespace pd {

std::int64_t fabric::workers() const {
  std::int64_t all = 1;
  for (const auto& each : levels)
    all *= each.machines;
  return all;
}

int fabric::member_of(int worker, int level) const {
  for (int l = 0; l < level; ++l)
    worker /= levels[static_cast<std::size_t>(l)].machines;
  return worker;
}

int fabric::machine_of(int worker) const {
  return member_of(worker, levels.size() > 1 ? 1 : 0);
}

int fabric::level_between(int a, int b) const {
  int level = 0;
  for (const auto& each : levels) {
    if (a / each.machines == b / each.machines)
      return level;
    a /= each.machines;
    b /= each.machines;
    ++level;
  }
  return level - 1;
}

result<void> fabric::check(int wanted) const {
  if (is_free() || workers() >= wanted)
    return {};
  return error{errc::bad_value, "network: " + std::to_string(wanted)
                                  + " workers want as many machines, got "
                                  + std::to_string(workers())};
}

fabric fabric_of(const cluster& from, reduction_kind how) {
  fabric made{from.levels, how, {}};
  for (const auto& each : from.workers)
    made.speeds.push_back(each.speed);
  return made;
}

} // namespace pd
