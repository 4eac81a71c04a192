#include "engine/planner/pipedream_costs.hpp"

#include "engine/planner/memory_costs.hpp"

#include <algorithm>
#include <limits>

namespace pd {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double seconds_in_us = 1e-6;

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

} // namespace

span_times::span_times(int cuts)
  : cuts_{static_cast<std::size_t>(cuts) + 1},
    times_(cuts_ * static_cast<std::size_t>(cuts), never) {}

pipedream_costs::pipedream_costs(const cut_list& cuts, const cluster& on,
                                 int level, const span_times* below,
                                 const plan_schedule* schedule,
                                 double memory_bytes)
  : cuts_{cuts},
    below_{below},
    schedule_{schedule},
    memory_bytes_{memory_bytes},
    units_{on.levels[at(level)].machines},
    units_below_{level == 0 ? 1 : on.levels[at(level - 1)].machines},
    bandwidth_{on.levels[at(level)].bandwidth_bytes_per_s} {}

double pipedream_costs::compute_s(stage_span stage) const {
  if (below_ != nullptr)
    return below_->at(stage);
  return seconds_in_us
         * (difference(cuts_, stage, &cut_point::forward_us)
            + difference(cuts_, stage, &cut_point::backward_us));
}

stage_time pipedream_costs::time_of_first(stage_span stage,
                                          int replicas) const {
  const double bytes = difference(cuts_, stage, &cut_point::parameter_bytes);
  stage_time made;
  made.compute_s = compute_s(stage) / replicas;
  made.sync_s = 4 * (replicas - 1) * bytes / (bandwidth_ * replicas)
                / units_below_ / replicas;
  made.total_s = made.compute_s + made.sync_s;
  return made;
}

stage_time pipedream_costs::time_of(stage_span stage, int replicas) const {
  auto made = time_of_first(stage, replicas);
  if (stage.from < 0)
    return made;
  made.sync_s *= units_below_;
  const bool is_last = stage.to + 1 == cuts_.size();
  const double in = cuts_.cuts[at(stage.from)].antichain_bytes;
  const double out = is_last ? 0 : cuts_.cuts[at(stage.to)].antichain_bytes;
  made.send_s = 2 * std::max(in, out) / (bandwidth_ * replicas);
  made.total_s = std::max(made.compute_s + made.sync_s, made.send_s);
  return made;
}

void pipedream_costs::fill(stage_span stage, int place,
                           std::span<double> costs) const {
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const int replicas = static_cast<int>(i) + 1;
    costs[i] = time_of(stage, replicas).total_s;
    if (memory_bytes_ > 0
        && memory_of(cuts_, *schedule_, stage, {units_, place, replicas})
             > memory_bytes_)
      costs[i] = never;
  }
}

} // namespace pd
