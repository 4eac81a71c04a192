#include "engine/base/sum_route.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

constexpr std::int64_t least_of_chain = 64 << 10;
constexpr std::int64_t least_of_exchange = 256 << 10;

double largest(const std::map<int, double>& by_machine) {
  double load = 0;
  for (const auto& [machine, bytes] : by_machine)
    load = std::max(load, bytes);
  return load;
}

double exchange_load(std::span<const int> machines) {
  const auto ranks = static_cast<double>(machines.size());
  std::map<int, double> here;
  for (const int machine : machines)
    ++here[machine];
  for (auto& [machine, count] : here)
    count = 2 * count * (ranks - count) / ranks;
  return largest(here);
}

std::int64_t segment_bytes(std::int64_t bytes, std::int64_t least,
                           std::int64_t most) {
  const auto wanted = (bytes / segments_of_sum + 3) / 4 * 4;
  return std::min(most, std::max(least, wanted));
}

} // namespace

sum_loads sum_loads_of(std::span<const int> machines) {
  sum_loads made{exchange_load(machines), 0, 0};
  std::map<int, double> sent;
  for (std::size_t next = 1; next < machines.size(); ++next)
    if (machines[next - 1] != machines[next]) {
      ++made.borders;
      ++sent[machines[next - 1]]; // what is added up so far
      ++sent[machines[next]];     // the sum, on its way back
    }
  made.chain = largest(sent);
  return made;
}

sum_route best_sum_route(const sum_loads& of, std::int64_t bytes,
                         std::int64_t most) {
  if (of.exchange == 0)
    return sum_route::at_home;
  const auto sum = static_cast<double>(bytes);
  const auto segment =
    static_cast<double>(std::min(bytes, chain_segment_bytes(bytes, most)));
  return of.chain * sum + 2 * of.borders * segment < of.exchange * sum
           ? sum_route::chain
           : sum_route::exchange;
}

std::int64_t chain_segment_bytes(std::int64_t sum_bytes, std::int64_t most) {
  return segment_bytes(sum_bytes, least_of_chain, most);
}

std::int64_t exchange_segment_bytes(std::int64_t share_bytes,
                                    std::int64_t most) {
  return segment_bytes(share_bytes, least_of_exchange, most);
}

} // namespace pd
