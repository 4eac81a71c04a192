#include "engine/base/sum_route.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

constexpr std::int64_t wanted_segments = 64;
constexpr std::int64_t least_segment_bytes = 64 << 10;

double largest(const std::map<int, double>& by_machine) {
  double load = 0;
  for (const auto& [machine, bytes] : by_machine)
    load = std::max(load, bytes);
  return load;
}

} // namespace

double exchange_load(std::span<const int> machines) {
  const auto ranks = static_cast<double>(machines.size());
  std::map<int, double> here;
  for (const int machine : machines)
    ++here[machine];
  for (auto& [machine, count] : here)
    count = 2 * count * (ranks - count) / ranks;
  return largest(here);
}

double chain_load(std::span<const int> machines) {
  std::map<int, double> sent;
  for (std::size_t next = 1; next < machines.size(); ++next)
    if (machines[next - 1] != machines[next]) {
      ++sent[machines[next - 1]]; // what is added up so far
      ++sent[machines[next]];     // the sum, on its way back
    }
  return largest(sent);
}

sum_route best_sum_route(std::span<const int> machines) {
  const auto load = exchange_load(machines);
  if (load == 0)
    return sum_route::at_home;
  return chain_load(machines) < load ? sum_route::chain : sum_route::exchange;
}

std::int64_t segment_bytes_of(std::int64_t bytes, std::int64_t most) {
  const auto wanted = (bytes / wanted_segments + 3) / 4 * 4;
  return std::min(most, std::max(least_segment_bytes, wanted));
}

} // namespace pd
