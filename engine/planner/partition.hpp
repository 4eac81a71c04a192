/// Chooses the cut and the replication of a network: from a profile and a
/// cluster to stages. docs/planning-reference.md says what it counts.

#pragma once

#include "engine/planner/cluster.hpp"
#include "engine/planner/cuts.hpp"
#include "engine/planner/stage_costs.hpp"
#include "engine/planner/stage_memory_model.hpp"

#include <string>
#include <vector>

namespace pd {

enum class cost_model { engine, pipedream };

struct partition_options {
  cost_model model = cost_model::engine;
  plan_schedule schedule;
  cut_rule rule = cut_rule::antichains;
  bool is_straight = false; ///< one worker a stage
  double memory_bytes = 0;  ///< of a worker; 0: no bound
};

struct planned_stage {
  std::vector<int> nodes; ///< of the profile, ascending; no loaders
  int replicas = 1;
  /// By level from the lowest up, of pipedream's model: their product is
  /// `replicas`. Stages of equal `group` are one stage of the level above.
  std::vector<int> replicas_by_level;
  int group = 0;
  int first_worker = 0; ///< in the cluster's order
  stage_time time;
  std::int64_t in_flight = 0;
  std::int64_t versions = 0;
  double memory_bytes = 0;
};

/// The objective is the longest of the stages' times: with the engine's model
/// max(compute, sync, send), with pipedream's max(compute + sync, send).
struct partition {
  double objective_s = 0;    ///< for each minibatch
  double dp_objective_s = 0; ///< of one stage on all workers, bounds or not
  double dp_memory_bytes = 0;
  bool dp_fits = true;
  std::vector<planned_stage> stages;
  plan_schedule schedule;
  int cuts = 0;
  std::vector<std::string> kept_in_order; ///< as in cut_list
};

/// Errors: those of find_cuts and resolve; bad_value if the cluster or the
/// profile breaks its invariants, there are too few cuts for one worker a
/// stage, or nothing fits into the memory: then with the least that would do;
/// not_supported if the model does not know unlike workers, or a bound on
/// memory on several levels.
[[nodiscard]] result<partition>
find_partition(const profile& of, const cluster& on,
               const partition_options& options);

} // namespace pd
