#include "engine/planner/sum_plan.hpp"

#include <algorithm>

namespace pd {

namespace {

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

double sum_way::delay_s(double bytes) const {
  const auto segment = chain_segment_bytes(static_cast<std::int64_t>(bytes),
                                           default_segment_bytes);
  return latency_s
         + std::min(static_cast<double>(segment), bytes) * fill_s_per_byte;
}

sum_plan::sum_plan(const fabric& net, const port_map& ports, int first,
                   int count)
  : net_{net}, ports_{ports}, first_{first}, count_{count} {
  way_.sent.resize(at(count));
  if (net_.is_free() || count_ < 2)
    return;
  const auto kind = net_.reduction;
  if (kind == reduction_kind::engine) {
    loads_ = sum_loads_of(machines());
    large_way_ = chain();
  }
  way_ = kind == reduction_kind::ring    ? ring()
         : kind == reduction_kind::chain ? chain()
                                         : exchange();
}

const sum_way& sum_plan::way_of(double bytes) const {
  const auto route = best_sum_route(loads_, static_cast<std::int64_t>(bytes),
                                    default_segment_bytes);
  return route == sum_route::chain ? large_way_ : way_;
}

/// By replica.
std::vector<int> sum_plan::machines() const {
  std::vector<int> made(at(count_));
  for (int r = 0; r < count_; ++r)
    made[at(r)] = net_.machine_of(first_ + r);
  return made;
}

double sum_plan::latency_of(int level) const {
  return net_.levels[at(level)].latency_s;
}

/// Each sends to the next, 2 (R - 1) times an R-th.
sum_way sum_plan::ring() const {
  const int steps = 2 * (count_ - 1);
  const double share = double(steps) / count_;
  sum_way made{.flows = {}, .sent = std::vector(at(count_), share)};
  for (int r = 0; r < count_; ++r) {
    const int from = first_ + r;
    const int to = first_ + (r + 1) % count_;
    const int level = net_.level_between(from, to);
    made.flows.push_back(
      {ports_.out(level, from), ports_.in(level, to), share});
    made.latency_s = std::max(made.latency_s, steps * latency_of(level));
  }
  return made;
}

/// Each sends all to the next, and all back, once the first segment has gone
/// all the way.
sum_way sum_plan::chain() const {
  sum_way made{.flows = {}, .sent = std::vector(at(count_), 0.0)};
  for (int r = 0; r + 1 < count_; ++r) {
    const int from = first_ + r;
    const int to = from + 1;
    const int level = net_.level_between(from, to);
    made.flows.push_back({ports_.out(level, from), ports_.in(level, to), 1});
    made.flows.push_back({ports_.out(level, to), ports_.in(level, from), 1});
    made.fill_s_per_byte += 2 / net_.levels[at(level)].bandwidth_bytes_per_s;
    made.latency_s += 2 * latency_of(level);
    ++made.sent[at(r)];
    ++made.sent[at(r + 1)];
  }
  return made;
}

/// Each sends an R-th to each other one, and the sum of its own R-th.
sum_way sum_plan::exchange() const {
  sum_way made{.flows = {},
               .sent = std::vector(at(count_), 2.0 * (count_ - 1) / count_)};
  for (int l = 0; l < static_cast<int>(net_.levels.size()); ++l) {
    const auto here = count_in(l);
    const auto above = count_in(l + 1);
    for (const auto& [member, replicas] : here) {
      const int group = member / net_.levels[at(l)].machines;
      if (const int peers = above.at(group) - replicas; peers > 0)
        add_exchange(made, l, member, double(replicas) * peers);
    }
  }
  return made;
}

/// How many replicas each member of a level has.
std::map<int, int> sum_plan::count_in(int level) const {
  std::map<int, int> counts;
  for (int r = 0; r < count_; ++r)
    ++counts[net_.member_of(first_ + r, level)];
  return counts;
}

/// What became of the parts waits for the parts.
void sum_plan::add_exchange(sum_way& to, int level, int member,
                            double pairs) const {
  const double share = 2.0 * pairs / count_;
  const int out = ports_.out_of(level, member);
  to.flows.push_back({out, no_port, share, pairs});
  to.flows.push_back({no_port, out + 1, share, pairs});
  to.latency_s = std::max(to.latency_s, 2 * latency_of(level));
}

} // namespace pd
