#include "tests/engine/planner/brute_force.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

namespace pd::test {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

bool has(mask set, int node) {
  return (set >> node & 1) != 0;
}

double sum(const profile& of, mask set,
           const std::function<double(const profiled_node&)>& amount) {
  double all = 0;
  for (std::size_t i = 0; i < of.nodes.size(); ++i)
    if (has(set, static_cast<int>(i)))
      all += amount(of.nodes[i]);
  return all;
}

using cost_of = std::function<double(const trial&)>;

/// Who may be given what.
struct room {
  int workers = 1;
  int most_replicas = 1;
};

/// Tries all sets that can come next, and all counts of workers.
double best_from(const amounts& of, mask before, int place, const room& in,
                 const cost_of& cost) {
  if (before == of.all())
    return place == in.workers ? 0 : never;
  double best = never;
  for (mask after = before + 1; after <= of.all(); ++after) {
    if ((after & before) != before || !of.is_closed(after))
      continue;
    for (int r = 1; r <= std::min(in.most_replicas, in.workers - place); ++r) {
      const double own = cost({before, after, place, r});
      if (own < best)
        best = std::min(
          best, std::max(own, best_from(of, after, place + r, in, cost)));
    }
  }
  return best;
}

// -- the engine's model -------------------------------------------------------

/// The group of a level that a worker is in, counted over the whole cluster.
int group_of(const cluster& on, int worker, int level) {
  for (int l = 0; l <= level; ++l)
    worker /= on.levels[static_cast<std::size_t>(l)].machines;
  return worker;
}

/// Bytes a second over which a stage reaches another worker.
double reach(const cluster& on, int first, int last, int a, int b) {
  int level = 0;
  while (group_of(on, a, level) != group_of(on, b, level))
    ++level;
  const int links =
    group_of(on, last, level - 1) - group_of(on, first, level - 1);
  return (links + 1)
         * on.levels[static_cast<std::size_t>(level)].bandwidth_bytes_per_s;
}

double slowest_within(const cluster& on, int first, int last) {
  double least = never;
  for (int level = 0;; ++level) {
    least = std::min(
      least, on.levels[static_cast<std::size_t>(level)].bandwidth_bytes_per_s);
    if (group_of(on, first, level) == group_of(on, last, level))
      return least;
  }
}

/// The slowest of the workers; the least of their bounds.
std::pair<double, double> worst_of(const cluster& on, const trial& stage) {
  double speed = never;
  double bound = never;
  for (int w = stage.place; w < stage.place + stage.replicas; ++w) {
    const auto& each = on.workers[static_cast<std::size_t>(w)];
    speed = std::min(speed, each.speed);
    bound = std::min(bound, each.memory_bytes > 0 ? each.memory_bytes : never);
  }
  return {speed, bound};
}

double send_s(const amounts& of, const cluster& on, const trial& stage) {
  const int first = stage.place;
  const int last = first + stage.replicas - 1;
  double sum = 0;
  if (stage.before != 0)
    sum += of.crossing(stage.before) / reach(on, first, last, first - 1, last);
  if (stage.after != of.all())
    sum += of.crossing(stage.after) / reach(on, first, last, first, last + 1);
  return sum;
}

double engine_cost(const amounts& of, const cluster& on, const bounds& how,
                   const trial& stage) {
  const int r = stage.replicas;
  if (stage.after != of.all() && stage.place + r == on.size())
    return never; // nobody is left for the rest
  if (how.microbatches > 0 && how.microbatches % r != 0)
    return never;
  const auto [speed, bound] = worst_of(on, stage);
  const double held = held_bytes(of, how, stage, on.size());
  if (held > bound || (how.memory_bytes > 0 && held > how.memory_bytes))
    return never;
  const double forwards = how.recompute ? 2 : 1;
  const int round = how.microbatches > 0 ? how.microbatches : r;
  const double steps =
    of.forward_s(stage.nodes()) * forwards + of.backward_s(stage.nodes());
  const double compute =
    (steps / r + of.update_s(stage.nodes()) / round) / speed;
  double sync = 0;
  if (r > 1)
    sync = of.parameters(stage.nodes()) * 2 * (r - 1) / r
           / slowest_within(on, stage.place, stage.place + r - 1) / round;
  return std::max({compute, sync, send_s(of, on, stage)});
}

// -- pipedream's model --------------------------------------------------------

class pipedream_oracle {
public:
  pipedream_oracle(const amounts& of, const cluster& on, const bounds& how)
    : of_{of}, on_{on}, how_{how} {}

  /// Of the nodes behind `start` up to `end`, on a whole group of the level.
  double best(mask start, mask end, int level) {
    const auto [known, is_new] = known_.try_emplace({start, end, level}, 0);
    if (is_new)
      known_[{start, end, level}] = split(start, start, end, level, 0);
    return known_.at({start, end, level});
  }

private:
  double split(mask start, mask before, mask end, int level, int place) {
    const int units = on_.levels[static_cast<std::size_t>(level)].machines;
    const int most = how_.is_straight ? 1 : units;
    if (before == end)
      return place == units ? 0 : never;
    double least = never;
    for (mask after = before + 1; after <= end; ++after) {
      if ((after & before) != before || (after & ~end) != 0
          || !of_.is_closed(after))
        continue;
      for (int r = 1; r <= std::min(most, units - place); ++r) {
        const double own =
          cost({before, after, place, r}, level, before == start);
        if (own < least)
          least = std::min(
            least, std::max(own, split(start, after, end, level, place + r)));
      }
    }
    return least;
  }

  double cost(const trial& stage, int level, bool is_first) {
    const auto l = static_cast<std::size_t>(level);
    const double m = stage.replicas;
    const double bandwidth = on_.levels[l].bandwidth_bytes_per_s;
    if (how_.memory_bytes > 0
        && held_bytes(of_, how_, stage, on_.size()) > how_.memory_bytes)
      return never;
    const double compute =
      level == 0 ? of_.forward_s(stage.nodes()) + of_.backward_s(stage.nodes())
                 : best(stage.before, stage.after, level - 1);
    const double sync =
      4 * (m - 1) * of_.parameters(stage.nodes()) / (bandwidth * m);
    if (is_first)
      return (compute + (level == 0 ? sync : sync / on_.levels[l - 1].machines))
             / m;
    const double in = of_.antichain(stage.before);
    const double out =
      stage.after == of_.all() ? 0 : of_.antichain(stage.after);
    return std::max({(compute + sync) / m, 2 * in / (bandwidth * m),
                     2 * out / (bandwidth * m)});
  }

  const amounts& of_;
  const cluster& on_;
  const bounds& how_;
  std::map<std::tuple<mask, mask, int>, double> known_;
};

} // namespace

bool amounts::is_closed(mask set) const {
  for (int i = 0; i < nodes(); ++i)
    if (has(set, i))
      for (const int input : of_.nodes[static_cast<std::size_t>(i)].inputs)
        if (!has(set, input))
          return false;
  return true;
}

double amounts::forward_s(mask stage) const {
  return sum(of_, stage, [](const auto& x) { return x.forward.us * 1e-6; });
}

double amounts::backward_s(mask stage) const {
  return sum(of_, stage, [](const auto& x) { return backward_us(x) * 1e-6; });
}

double amounts::update_s(mask stage) const {
  return sum(of_, stage, [](const auto& x) { return x.update.us * 1e-6; });
}

double amounts::parameters(mask stage) const {
  return sum(of_, stage, [](const auto& x) { return x.parameter_bytes; });
}

double amounts::stash(mask stage) const {
  return sum(of_, stage, [](const auto& x) { return x.stash_bytes; });
}

double amounts::crossing(mask before) const {
  mask crossing = 0;
  for (int i = 0; i < nodes(); ++i)
    if (has(before, i) && (takers(i) & ~before) != 0)
      crossing |= mask{1} << i;
  return sum(of_, crossing, [](const auto& x) { return output_bytes(x); });
}

double amounts::antichain(mask before) const {
  mask counted = 0;
  for (int last = 0; last < nodes(); ++last) {
    if (!has(before, last) || (takers(last) & before) != 0)
      continue;
    counted |= mask{1} << last;
    const mask earlier = ancestors(last);
    for (int i = 0; i < nodes(); ++i)
      if (has(earlier, i) && (takers(i) & ~earlier & ~(mask{1} << last)) != 0)
        counted |= mask{1} << i;
  }
  return sum(of_, counted, [](const auto& x) { return output_bytes(x); });
}

mask amounts::ancestors(int node) const {
  mask made = 0;
  for (const int input : of_.nodes[static_cast<std::size_t>(node)].inputs)
    made |= ancestors(input) | mask{1} << input;
  return made;
}

mask amounts::takers(int node) const {
  mask made = 0;
  for (int i = 0; i < nodes(); ++i)
    for (const int input : of_.nodes[static_cast<std::size_t>(i)].inputs)
      if (input == node)
        made |= mask{1} << i;
  return made;
}

double held_bytes(const amounts& of, const bounds& how, const trial& stage,
                  int workers) {
  const bool has_halves = how.schedule.starts_with("zero-bubble");
  const double behind = has_halves ? workers : workers - stage.place;
  const double depth = std::ceil(behind / stage.replicas);
  double flying = depth;
  const double share = std::max(1, how.microbatches / stage.replicas);
  if (how.schedule == "gpipe")
    flying = share;
  else if (how.schedule == "1f1b" || how.schedule == "zero-bubble")
    flying = std::min(share, depth);
  else if (how.schedule == "zero-bubble-2p")
    flying = std::min(share, 2 * depth - 1);
  double copies = 3; // weights, gradients, momentum
  if (how.schedule == "pipedream")
    copies += flying - 1;
  else if (how.schedule == "pipedream-2bw")
    copies += 1;
  return copies * of.parameters(stage.nodes())
         + (how.recompute ? 1 : flying) * of.stash(stage.nodes())
         + flying * (stage.before == 0 ? 0 : of.crossing(stage.before));
}

double best_engine(const profile& of, const cluster& on, const bounds& how) {
  const amounts sums{of};
  const auto cost = [&](const trial& stage) {
    return engine_cost(sums, on, how, stage);
  };
  const room in{on.size(), how.is_straight ? 1 : on.size()};
  double best = never;
  for (int first = 0; first < on.size(); ++first)
    best = std::min(best, best_from(sums, 0, first, in, cost));
  return best;
}

double best_pipedream(const profile& of, const cluster& on, const bounds& how) {
  const amounts sums{of};
  return pipedream_oracle{sums, on, how}.best(
    0, sums.all(), static_cast<int>(on.levels.size()) - 1);
}

} // namespace pd::test
