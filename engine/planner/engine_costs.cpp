#include "engine/planner/engine_costs.hpp"

#include "engine/planner/memory_costs.hpp"
#include "engine/planner/sync_costs.hpp"

#include <algorithm>
#include <limits>

namespace pd {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();
constexpr double seconds_in_us = 1e-6;

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

bool has_equal_workers(const cluster& of) {
  return std::ranges::all_of(of.workers, [&of](const cluster_worker& each) {
    return each.speed == of.workers[0].speed
           && each.memory_bytes == of.workers[0].memory_bytes;
  });
}

} // namespace

engine_costs::engine_costs(const cut_list& cuts, const cluster& on,
                           const plan_schedule& schedule, double memory_bytes)
  : cuts_{cuts}, on_{on}, schedule_{schedule}, memory_bytes_{memory_bytes} {
  is_uniform_ = on.levels.size() == 1 && has_equal_workers(on);
  has_bounds_ =
    memory_bytes > 0
    || std::ranges::any_of(on.workers, [](const cluster_worker& each) {
         return each.memory_bytes > 0;
       });
  const int places = is_uniform_ ? 1 : on.size();
  for (int place = 0; place < places; ++place) {
    paces_.emplace_back();
    for (int r = 1; place + r <= on.size(); ++r)
      paces_.back().push_back(pace(place, r));
  }
}

bool engine_costs::depends_on_place() const {
  return !is_uniform_ || has_bounds_; // what it holds depends on who is behind
}

/// Seconds a byte from or to the stage, where a and b are joined.
double engine_costs::link_pace(int place, int replicas, int a, int b) const {
  const int level = on_.level_between(a, b);
  const int group = on_.group_workers(level);
  const int links = (place + replicas - 1) / group - place / group + 1;
  return 1 / (links * on_.levels[at(level)].bandwidth_bytes_per_s);
}

/// Minibatches of an update.
double engine_costs::round(int replicas) const {
  return static_cast<double>(has_no_round(schedule_) ? replicas
                                                     : schedule_.microbatches);
}

engine_costs::paces engine_costs::pace(int place, int replicas) const {
  const int last = place + replicas - 1;
  double speed = never;
  paces made;
  made.memory_bytes = never;
  if (memory_bytes_ > 0)
    made.memory_bytes = memory_bytes_;
  for (int worker = place; worker <= last; ++worker) {
    const auto& each = on_.workers[at(worker)];
    speed = std::min(speed, each.speed);
    if (each.memory_bytes > 0)
      made.memory_bytes = std::min(made.memory_bytes, each.memory_bytes);
  }
  made.compute_us = seconds_in_us / speed / replicas;
  made.update_us = seconds_in_us / speed / round(replicas);
  made.sync_byte =
    sync_seconds_per_byte(on_, place, replicas) / round(replicas);
  if (is_uniform_) { // then it matters to nobody where the neighbours are
    made.input_byte = 1 / (replicas * on_.levels[0].bandwidth_bytes_per_s);
    made.output_byte = made.input_byte;
    return made;
  }
  if (place > 0)
    made.input_byte = link_pace(place, replicas, place - 1, last);
  if (last + 1 < on_.size())
    made.output_byte = link_pace(place, replicas, place, last + 1);
  return made;
}

const engine_costs::paces& engine_costs::pace_at(int place,
                                                 int replicas) const {
  return paces_[is_uniform_ ? 0 : at(place)][at(replicas - 1)];
}

stage_time engine_costs::time_at(stage_span stage, const paces& at_pace) const {
  const double forwards = schedule_.recompute ? 2 : 1;
  const double us = forwards * difference(cuts_, stage, &cut_point::forward_us)
                    + difference(cuts_, stage, &cut_point::backward_us);
  stage_time made;
  made.compute_s =
    us * at_pace.compute_us
    + difference(cuts_, stage, &cut_point::update_us) * at_pace.update_us;
  made.sync_s =
    difference(cuts_, stage, &cut_point::parameter_bytes) * at_pace.sync_byte;
  if (stage.from >= 0)
    made.send_s =
      cuts_.cuts[at(stage.from)].crossing_bytes * at_pace.input_byte;
  if (stage.to + 1 < cuts_.size())
    made.send_s +=
      cuts_.cuts[at(stage.to)].crossing_bytes * at_pace.output_byte;
  made.total_s = std::max({made.compute_s, made.sync_s, made.send_s});
  return made;
}

stage_time engine_costs::time_of(stage_span stage, int place,
                                 int replicas) const {
  return time_at(stage, pace_at(place, replicas));
}

bool engine_costs::fits(stage_span stage, int place, int replicas) const {
  return memory_of(cuts_, schedule_, stage, {on_.size(), place, replicas})
         <= pace_at(place, replicas).memory_bytes;
}

void engine_costs::fill(stage_span stage, int place,
                        std::span<double> costs) const {
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const int replicas = static_cast<int>(i) + 1;
    const bool is_allowed = shares_round(schedule_, replicas)
                            && (!has_bounds_ || fits(stage, place, replicas));
    costs[i] =
      is_allowed ? time_at(stage, pace_at(place, replicas)).total_s : never;
  }
}

} // namespace pd
