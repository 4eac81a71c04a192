#include "engine/planner/sync_costs.hpp"

#include <algorithm>
#include <array>

namespace pd {

namespace {

/// Workers next to each other.
struct span {
  int first = 0;
  int last = 0;

  [[nodiscard]] int workers() const { return last - first + 1; }
  /// Those in the group `index` of `size` workers.
  [[nodiscard]] span within(int index, int size) const {
    return {std::max(first, index * size),
            std::min(last, (index + 1) * size - 1)};
  }
};

/// What the busiest member, of `size` workers, sends of each byte to the
/// others: of `part` it is one, `all` add up.
struct load {
  double exchange = 0;
  double chain = 0;
};

load load_of(span part, int size, int all) {
  const int begin = part.first / size;
  const int end = part.last / size;
  if (begin == end)
    return {};
  const bool has_middle = end - begin > 1;
  const std::array members{part.within(begin, size).workers(),
                           has_middle ? size : 0,
                           part.within(end, size).workers()};
  double most = 0;
  for (const int here : members)
    most = std::max(most, double(here) * (part.workers() - here));
  return {2 * most / all, has_middle ? 2.0 : 1.0};
}

/// Of all groups of `whole` workers, the busiest.
load busiest(span stage, int size, int whole) {
  load most;
  for (int i = stage.first / whole; i <= stage.last / whole; ++i) {
    const auto here = load_of(stage.within(i, whole), size, stage.workers());
    most = {std::max(most.exchange, here.exchange),
            std::max(most.chain, here.chain)};
  }
  return most;
}

} // namespace

sum_route route_of(const cluster& on, int place, int replicas) {
  const span stage{place, place + replicas - 1};
  const int machine = on.group_workers(on.levels.size() > 1 ? 1 : 0);
  const auto load = load_of(stage, machine, replicas);
  if (load.exchange == 0)
    return sum_route::at_home;
  return load.chain < load.exchange ? sum_route::chain : sum_route::exchange;
}

double sync_seconds_per_byte(const cluster& on, int place, int replicas) {
  if (replicas == 1)
    return 0;
  const span stage{place, place + replicas - 1};
  const bool is_chain = route_of(on, place, replicas) == sum_route::chain;
  const int top = on.level_between(stage.first, stage.last);
  double slowest = 0;
  for (int level = 0; level <= top; ++level) {
    const auto load =
      busiest(stage, on.group_workers(level), on.group_workers(level + 1));
    const auto& links = on.levels[static_cast<std::size_t>(level)];
    slowest = std::max(slowest, (is_chain ? load.chain : load.exchange)
                                  / links.bandwidth_bytes_per_s);
  }
  return slowest;
}

} // namespace pd
