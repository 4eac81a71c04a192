#include "engine/planner/sync_costs.hpp"

#include <algorithm>
#include <array>

namespace pd {

namespace {

/// Of which a segment is one of segments_of_sum.
constexpr std::int64_t large_sum = 1 << 30;

/// Workers next to each other.
struct workers_span {
  int first = 0;
  int last = 0;

  [[nodiscard]] int count() const { return last - first + 1; }
  /// Those in the group `index` of `size` workers.
  [[nodiscard]] workers_span within(int index, int size) const {
    return {std::max(first, index * size),
            std::min(last, (index + 1) * size - 1)};
  }
};

/// Of members of `size` workers, for a sum of which `part` is one and `all`
/// workers add up.
sum_loads member_loads(workers_span part, int size, int all) {
  const int begin = part.first / size;
  const int end = part.last / size;
  if (begin == end)
    return {};
  const bool has_middle = end - begin > 1;
  const std::array members{part.within(begin, size).count(),
                           has_middle ? size : 0,
                           part.within(end, size).count()};
  double most = 0;
  for (const int here : members)
    most = std::max(most, double(here) * (part.count() - here));
  return {2 * most / all, has_middle ? 2.0 : 1.0, end - begin};
}

/// The greatest of all groups of `whole` workers, and all borders. All groups
/// between the first and the last are alike.
sum_loads level_loads(workers_span stage, int size, int whole) {
  const int begin = stage.first / whole;
  const int end = stage.last / whole;
  sum_loads made;
  const auto add = [&](int group, int times) {
    const auto here =
      member_loads(stage.within(group, whole), size, stage.count());
    made = {std::max(made.exchange, here.exchange),
            std::max(made.chain, here.chain),
            made.borders + times * here.borders};
  };
  add(begin, 1);
  if (end > begin)
    add(end, 1);
  if (end > begin + 1)
    add(begin + 1, end - begin - 1);
  return made;
}

} // namespace

sum_loads loads_of(const cluster& on, int place, int replicas) {
  const int machine = on.group_workers(on.levels.size() > 1 ? 1 : 0);
  return member_loads({place, place + replicas - 1}, machine, replicas);
}

double sync_seconds_per_byte(const cluster& on, int place, int replicas) {
  if (replicas == 1)
    return 0;
  const workers_span stage{place, place + replicas - 1};
  const bool is_chain =
    best_sum_route(loads_of(on, place, replicas), large_sum, large_sum)
    == sum_route::chain;
  double slowest = 0;
  double fill = 0;
  for (int level = 0; level < std::ssize(on.levels); ++level) {
    const auto loads =
      level_loads(stage, on.group_workers(level), on.group_workers(level + 1));
    const auto byte_s =
      1 / on.levels[static_cast<std::size_t>(level)].bandwidth_bytes_per_s;
    slowest =
      std::max(slowest, (is_chain ? loads.chain : loads.exchange) * byte_s);
    fill += 2.0 * loads.borders / segments_of_sum * byte_s;
  }
  return is_chain ? slowest + fill : slowest;
}

} // namespace pd
