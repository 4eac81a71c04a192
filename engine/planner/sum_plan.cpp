#include "engine/planner/sum_plan.hpp"

#include "engine/base/sum_route.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t most_at_once = 1 << 20; // a segment, as the engine has

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

} // namespace

// -- ports -------------------------------------------------------------------

port_map::port_map(const fabric& net, int workers) : net_{net} {
  for (int l = 0; l < static_cast<int>(net.levels.size()); ++l) {
    first_.push_back(static_cast<int>(rates_.size()));
    const auto rate = net.levels[at(l)].bandwidth_bytes_per_s;
    rates_.resize(rates_.size() + 2 * at(net.member_of(workers - 1, l) + 1),
                  rate);
  }
}

int port_map::out_of(int level, int member) const {
  return first_[at(level)] + 2 * member;
}

int port_map::out(int level, int worker) const {
  return out_of(level, net_.member_of(worker, level));
}

int port_map::in(int level, int worker) const {
  return out(level, worker) + 1;
}

// -- sums --------------------------------------------------------------------

sum_plan::sum_plan(const fabric& net, const port_map& ports, int first,
                   int count)
  : net_{net},
    ports_{ports},
    first_{first},
    count_{count},
    kind_{chosen_kind()} {
  if (net_.is_free() || count_ < 2)
    return;
  if (kind_ == reduction_kind::ring)
    plan_ring();
  else if (kind_ == reduction_kind::chain)
    plan_chain();
  else
    plan_exchange();
}

reduction_kind sum_plan::chosen_kind() const {
  if (net_.reduction != reduction_kind::engine)
    return net_.reduction;
  std::vector<int> machines;
  for (int r = 0; r < count_; ++r)
    machines.push_back(net_.machine_of(first_ + r));
  return best_sum_route(machines) == sum_route::chain
           ? reduction_kind::chain
           : reduction_kind::exchange;
}

double sum_plan::latency_of(int level) const {
  return net_.levels[at(level)].latency_s;
}

double sum_plan::latency_s(double bytes) const {
  const auto segment =
    segment_bytes_of(static_cast<std::int64_t>(bytes), most_at_once);
  return latency_s_
         + std::min(static_cast<double>(segment), bytes) * fill_s_per_byte_;
}

double sum_plan::sent_share(int replica) const {
  if (flows_.empty())
    return 0;
  if (kind_ == reduction_kind::chain)
    return replica == 0 || replica + 1 == count_ ? 1 : 2;
  return 2.0 * (count_ - 1) / count_;
}

/// Each sends to the next, 2 (R - 1) times an R-th.
void sum_plan::plan_ring() {
  const int steps = 2 * (count_ - 1);
  for (int r = 0; r < count_; ++r) {
    const int from = first_ + r;
    const int to = first_ + (r + 1) % count_;
    const int level = net_.level_between(from, to);
    flows_.push_back(
      {ports_.out(level, from), ports_.in(level, to), double(steps) / count_});
    latency_s_ = std::max(latency_s_, steps * latency_of(level));
  }
}

/// Each sends all to the next, and all back, once the first segment has gone all
/// the way.
void sum_plan::plan_chain() {
  for (int r = 0; r + 1 < count_; ++r) {
    const int from = first_ + r;
    const int to = from + 1;
    const int level = net_.level_between(from, to);
    flows_.push_back({ports_.out(level, from), ports_.in(level, to), 1});
    flows_.push_back({ports_.out(level, to), ports_.in(level, from), 1});
    fill_s_per_byte_ += 2 / net_.levels[at(level)].bandwidth_bytes_per_s;
    latency_s_ += 2 * latency_of(level);
  }
}

/// Each sends an R-th to each other one, and the sum of its own R-th.
void sum_plan::plan_exchange() {
  for (int l = 0; l < static_cast<int>(net_.levels.size()); ++l) {
    const auto here = count_in(l);
    const auto above = count_in(l + 1);
    for (const auto& [member, replicas] : here) {
      const int group = member / net_.levels[at(l)].machines;
      if (const int peers = above.at(group) - replicas; peers > 0)
        add_exchange(l, member, double(replicas) * peers);
    }
  }
}

/// How many replicas each member of a level has.
std::map<int, int> sum_plan::count_in(int level) const {
  std::map<int, int> counts;
  for (int r = 0; r < count_; ++r)
    ++counts[net_.member_of(first_ + r, level)];
  return counts;
}

/// What became of the parts waits for the parts.
void sum_plan::add_exchange(int level, int member, double pairs) {
  const double share = 2.0 * pairs / count_;
  const int out = ports_.out_of(level, member);
  flows_.push_back({out, no_port, share, pairs});
  flows_.push_back({no_port, out + 1, share, pairs});
  latency_s_ = std::max(latency_s_, 2 * latency_of(level));
}

} // namespace pd
