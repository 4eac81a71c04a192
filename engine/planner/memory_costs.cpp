#include "engine/planner/memory_costs.hpp"

#include <limits>

namespace pd {

stage_bytes bytes_of(const cut_list& in, stage_span stage) {
  const double input =
    stage.from < 0
      ? 0
      : in.cuts[static_cast<std::size_t>(stage.from)].crossing_bytes;
  return {difference(in, stage, &cut_point::parameter_bytes),
          difference(in, stage, &cut_point::stash_bytes), input};
}

double memory_of(const cut_list& in, const plan_schedule& schedule,
                 stage_span stage, const stage_place& at) {
  return memory_bytes(schedule, bytes_of(in, stage), in_flight(schedule, at));
}

bool shares_round(const plan_schedule& schedule, int replicas) {
  return has_no_round(schedule) || schedule.microbatches % replicas == 0;
}

void memory_costs::fill(stage_span stage, int place,
                        std::span<double> costs) const {
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const int replicas = static_cast<int>(i) + 1;
    costs[i] =
      shares_round(schedule_, replicas)
        ? memory_of(cuts_, schedule_, stage, {workers_, place, replicas})
        : std::numeric_limits<double>::infinity();
  }
}

} // namespace pd
