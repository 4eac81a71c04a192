#include "engine/planner/cluster.hpp"

#include <cmath>

namespace pd {

namespace {

constexpr std::int64_t most_workers = 4096;

error bad(const std::string& what) {
  return {errc::bad_value, what};
}

std::string print(double x) {
  auto text = std::to_string(x);
  text.erase(text.find_last_not_of('0') + 1);
  return text.back() == '.' ? text + "0" : text;
}

result<void> check_level(std::int64_t machines, double bandwidth,
                         double latency_s) {
  if (machines < 1 || machines > most_workers)
    return bad("machines: wanted 1 to " + std::to_string(most_workers)
               + ", got " + std::to_string(machines));
  if (!std::isfinite(bandwidth) || bandwidth <= 0)
    return bad("bandwidth: wanted bytes a second, more than 0, got "
               + print(bandwidth));
  if (!std::isfinite(latency_s) || latency_s < 0)
    return bad("latency: wanted seconds from 0 on, got " + print(latency_s));
  return {};
}

} // namespace

int cluster::group_workers(int level) const {
  int product = 1;
  for (int i = 0; i < level; ++i)
    product *= levels[static_cast<std::size_t>(i)].machines;
  return product;
}

int cluster::level_between(int a, int b) const {
  int level = 0;
  for (int group = levels[0].machines; a / group != b / group;
       group *= levels[static_cast<std::size_t>(level)].machines)
    ++level;
  return level;
}

result<void> cluster::validate() const {
  if (levels.empty() || workers.empty())
    return bad("wanted a worker and a network at least, got "
               + std::to_string(workers.size()) + " and "
               + std::to_string(levels.size()));
  std::int64_t product = 1;
  for (const auto& each : levels) {
    PD_CHECK(
      check_level(each.machines, each.bandwidth_bytes_per_s, each.latency_s));
    product *= each.machines;
    if (product > most_workers)
      return bad("machines: wanted " + std::to_string(most_workers)
                 + " workers at most, got more");
  }
  if (product != size())
    return bad("machines: wanted levels of " + std::to_string(size())
               + " workers, got levels of " + std::to_string(product));
  for (const auto& each : workers)
    if (!std::isfinite(each.speed) || each.speed <= 0)
      return bad("speed: wanted a factor above 0, got " + print(each.speed));
  return {};
}

result<cluster> uniform_cluster(std::span<const std::int64_t> machines,
                                std::span<const double> bandwidths) {
  if (machines.size() != bandwidths.size())
    return bad("wanted a bandwidth for each level of machines, got "
               + std::to_string(bandwidths.size()) + " for "
               + std::to_string(machines.size()));
  cluster made;
  std::int64_t workers = 1;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    PD_CHECK(check_level(machines[i], bandwidths[i], 0));
    workers *= machines[i];
    if (workers > most_workers)
      return bad("machines: wanted " + std::to_string(most_workers)
                 + " workers at most, got more");
    made.levels.push_back({static_cast<int>(machines[i]), bandwidths[i], 0});
  }
  made.workers.resize(static_cast<std::size_t>(workers));
  PD_CHECK(made.validate());
  return made;
}

} // namespace pd
