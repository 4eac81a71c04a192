#include "engine/planner/stage_memory_model.hpp"

#include "engine/base/text.hpp"
#include "engine/schedule/generate.hpp"

#include <algorithm>

namespace pd {

result<plan_schedule> resolve(plan_schedule schedule, int workers) {
  const auto& all = schedule_names();
  const auto& name = schedule.name;
  if (std::ranges::find(all, name) == all.end())
    return error{errc::unknown_name, "schedule: no schedule '" + name + "'"
                                       + did_you_mean(name, all)
                                       + "; there are " + join(all)};
  if (name == "model-parallel" || name == "interleaved")
    return error{errc::not_supported,
                 "schedule: no plan for '" + name
                   + "', which has one microbatch at a time or several stages "
                     "a worker; wanted another of "
                   + join(all)};
  if (has_no_round(schedule) && schedule.microbatches != 0)
    return error{errc::bad_value, "microbatches: '" + name
                                    + "' has no rounds, wanted none, got "
                                    + std::to_string(schedule.microbatches)};
  if (schedule.microbatches < 0)
    return error{errc::bad_value, "microbatches: wanted 1 or more, got "
                                    + std::to_string(schedule.microbatches)};
  if (!has_no_round(schedule) && schedule.microbatches == 0)
    schedule.microbatches = std::int64_t{4} * workers;
  return schedule;
}

bool has_no_round(const plan_schedule& schedule) {
  return schedule.name == "pipedream";
}

std::int64_t in_flight(const plan_schedule& schedule, const stage_place& at) {
  const bool has_halves = schedule.name.starts_with("zero-bubble");
  const int workers = has_halves ? at.workers : at.workers - at.before;
  const std::int64_t depth = (workers + at.replicas - 1) / at.replicas;
  if (has_no_round(schedule) || schedule.name == "pipedream-2bw")
    return depth;
  const auto share =
    std::max<std::int64_t>(1, schedule.microbatches / at.replicas);
  if (schedule.name == "gpipe")
    return share;
  const bool is_double = schedule.name == "zero-bubble-2p";
  return std::min(share, is_double ? 2 * depth - 1 : depth);
}

std::int64_t versions(const plan_schedule& schedule, std::int64_t in_flight) {
  if (has_no_round(schedule))
    return in_flight;
  return schedule.name == "pipedream-2bw" ? 2 : 1;
}

double memory_bytes(const plan_schedule& schedule, const stage_bytes& of,
                    std::int64_t in_flight) {
  constexpr double gradients_and_momentum = 2;
  const auto flying = static_cast<double>(in_flight);
  const double copies =
    static_cast<double>(versions(schedule, in_flight)) + gradients_and_momentum;
  const double stashes = schedule.recompute ? 1 : flying;
  return copies * of.parameters + stashes * of.stash + flying * of.input;
}

} // namespace pd
