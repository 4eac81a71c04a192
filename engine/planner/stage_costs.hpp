/// What a stage costs on some workers: what a cost model is to the search.
///
/// The search asks for all replica counts of a stage at once, since it tries
/// them all, a few hundred million times.

#pragma once

#include "engine/planner/cuts.hpp"

#include <span>

namespace pd {

/// A stage: what `to` has and `from` has not. from: -1 for the first stage.
struct stage_span {
  int from = -1;
  int to = 0;
};

/// The parts of a stage's time for each minibatch, and what it comes to.
struct stage_time {
  double compute_s = 0;
  double sync_s = 0; ///< its replicas' gradients
  double send_s = 0; ///< activations and their gradients, both sides
  double total_s = 0;
};

class stage_costs {
public:
  stage_costs() = default;
  stage_costs(const stage_costs&) = delete;
  stage_costs& operator=(const stage_costs&) = delete;
  virtual ~stage_costs() = default;

  /// Units that a stage can be replicated over: workers or groups of them.
  [[nodiscard]] virtual int workers() const = 0;

  /// False if a stage costs the same wherever it is.
  [[nodiscard]] virtual bool depends_on_place() const = 0;

  /// costs[r - 1]: on r workers, of which `place` is the first; infinite if
  /// that cannot be. @pre place + costs.size() <= workers()
  virtual void fill(stage_span stage, int place,
                    std::span<double> costs) const = 0;
};

/// The amounts of a stage.
[[nodiscard]] inline double difference(const cut_list& in, stage_span stage,
                                       double cut_point::*amount) {
  const double all = in.cuts[static_cast<std::size_t>(stage.to)].*amount;
  if (stage.from < 0)
    return all;
  const double before = in.cuts[static_cast<std::size_t>(stage.from)].*amount;
  return all > before ? all - before : 0;
}

} // namespace pd
