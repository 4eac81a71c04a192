/// Finds the chain of stages whose slowest one is fastest, over all cuts and
/// all ways to give each stage some workers next to each other.
///
///     best(k, p) = min over j behind k, r of max(cost(k..j, p, r),
///                                                best(j, p + r))
///
/// is the time of the stages behind cut k on the workers from p to the last.
/// That way round a stage knows how many workers are downstream of it, on
/// which its memory depends. Exact; it takes cuts^2 * workers^2 / 4 steps.
///
/// Paper: PipeDream, SOSP 2019, section 3.1, which goes from the front.

#pragma once

#include "engine/planner/stage_costs.hpp"

#include <optional>
#include <vector>

namespace pd {

struct chain_stage {
  stage_span span;
  int place = 0; ///< its first worker
  int replicas = 1;
};

struct chain {
  double cost = 0; ///< of the slowest stage
  std::vector<chain_stage> stages;
};

struct chain_options {
  int most_replicas = 0;        ///< of a stage; 0: any
  bool uses_all_workers = true; ///< else the first ones may be left out
};

/// Nothing if no chain has a finite cost.
[[nodiscard]] std::optional<chain> find_chain(const cut_list& cuts,
                                              const stage_costs& costs,
                                              const chain_options& options);

} // namespace pd
