#include "engine/planner/flows.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <limits>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

} // namespace

flow_table::flow_table(const std::vector<double>& ports,
                       std::function<void(const flow_end&)> on_end)
  : on_end_{std::move(on_end)} {
  for (const double each : ports)
    ports_.push_back({each, 0, {}});
}

void flow_table::begin(const flow_order& order, double now) {
  PD_ASSERT(order.bytes > 0);
  int made = static_cast<int>(flows_.size());
  if (unused_.empty()) {
    flows_.emplace_back();
  } else {
    made = unused_.back();
    unused_.pop_back();
  }
  auto& own = flows_[at(made)];
  own.order = order;
  own.left_bytes = order.bytes;
  own.rate = 0;
  own.since = now;
  own.looked = std::numeric_limits<double>::infinity();
  join(order.out, made);
  join(order.in, made);
  retime(order.out, now);
  retime(order.in, now);
}

bool flow_table::end(const flow_end& which, int& tag) {
  auto& own = flows_[at(which.flow)];
  if (own.number != which.number)
    return false;
  const auto ends = own.since + own.left_bytes / own.rate;
  if (ends > which.time) {
    own.looked = ends;
    on_end_({which.flow, ++own.number, ends});
    return false;
  }
  ++own.number;
  tag = own.order.tag;
  const auto [out, in] = std::pair{own.order.out, own.order.in};
  leave(out, which.flow);
  leave(in, which.flow);
  unused_.push_back(which.flow);
  retime(out, which.time);
  retime(in, which.time);
  return true;
}

void flow_table::join(int which, int added) {
  if (which == no_port)
    return;
  ports_[at(which)].flows.push_back(added);
  ports_[at(which)].connections += flows_[at(added)].order.connections;
}

void flow_table::leave(int which, int left) {
  if (which == no_port)
    return;
  auto& from = ports_[at(which)];
  from.flows.erase(std::ranges::find(from.flows, left));
  from.connections -= flows_[at(left)].order.connections;
  if (from.flows.empty())
    from.connections = 0; // and no rounding stays
}

double flow_table::share_at(int which, const flow_order& of) const {
  if (which == no_port)
    return std::numeric_limits<double>::infinity();
  const auto& at_port = ports_[at(which)];
  return at_port.bytes_per_s * of.connections / at_port.connections;
}

void flow_table::retime(int which, double now) {
  if (which == no_port)
    return;
  for (const int each : ports_[at(which)].flows)
    retime_flow(each, now);
}

/// Only an earlier end is told: to be late is found out when it comes.
void flow_table::retime_flow(int which, double now) {
  auto& own = flows_[at(which)];
  const auto rate = std::min(share_at(own.order.out, own.order),
                             share_at(own.order.in, own.order));
  if (rate == own.rate)
    return;
  own.left_bytes = std::max(0.0, own.left_bytes - own.rate * (now - own.since));
  own.rate = rate;
  own.since = now;
  const auto ends = now + own.left_bytes / rate;
  if (ends >= own.looked)
    return;
  own.looked = ends;
  on_end_({which, ++own.number, ends});
}

} // namespace pd
