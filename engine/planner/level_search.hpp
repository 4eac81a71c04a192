/// PipeDream's search within the groups of a level: the best chain of every
/// possible stage on every count of units, since the level above may ask for
/// any of them.
///
///     A(i, j, m) = min(first stage alone on m,
///                      min over k, m' of max(A(i, k, m - m'), X(k, j, m')))
///
/// X does not depend on i, so all i are done at once: for each k and j, a
/// column of maxima into a column of minima. cuts^3 * units^2 / 12 steps.

#pragma once

#include "engine/planner/pipedream_costs.hpp"

#include <vector>

namespace pd {

class level_search {
public:
  /// Keeps references. straight: one unit a stage.
  level_search(const cut_list& cuts, const pipedream_costs& costs,
               bool is_straight);

  /// On all units of the level.
  [[nodiscard]] const span_times& times() const { return best_.back(); }

  /// The chain of a stage on all units; places are not filled in.
  [[nodiscard]] std::vector<chain_stage> chain_of(stage_span stage) const;

private:
  [[nodiscard]] int most_alone() const {
    return is_straight_ ? 1 : costs_.workers();
  }
  void start(int to);
  void extend(int to, int part);
  [[nodiscard]] chain_stage last_of(stage_span stage, int units) const;
  [[nodiscard]] double cost_with(stage_span before, int to, int units,
                                 int own) const;

  const cut_list& cuts_;
  const pipedream_costs& costs_;
  bool is_straight_;
  std::vector<span_times> best_; ///< by units - 1
};

} // namespace pd
