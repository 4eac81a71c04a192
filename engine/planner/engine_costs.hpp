/// Our own cost model: what a stage costs on workers of a cluster.
///
///     compute   (forward + backward) / r and a round's share of the update, at
///               the pace of its slowest worker
///     sync      its parameters over the busiest link among its workers, by the
///               way that a sum takes (sync_costs), once a round
///     send      what comes in and what goes out, over the stage's links to
///               its neighbours; both ways at once
///
/// All three run beside each other, so a stage takes the longest of them for
/// each minibatch. A stage has r workers next to each other, in the cluster's
/// order; the link to the stage before is of the lowest level that joins all of
/// its workers and the last one of that stage, and to the stage after likewise.
/// A link of level l > 0 is shared by the workers of a group below.
///
/// Paper: PipeDream (SOSP 2019), section 3.1.

#pragma once

#include "engine/planner/cluster.hpp"
#include "engine/planner/stage_costs.hpp"
#include "engine/planner/stage_memory_model.hpp"

#include <vector>

namespace pd {

class engine_costs final : public stage_costs {
public:
  /// Keeps references. memory_bytes: the bound on each worker, beside the
  /// worker's own; 0 for none.
  engine_costs(const cut_list& cuts, const cluster& on,
               const plan_schedule& schedule, double memory_bytes);

  [[nodiscard]] int workers() const override { return on_.size(); }
  [[nodiscard]] bool depends_on_place() const override;
  void fill(stage_span stage, int place,
            std::span<double> costs) const override;

  /// One stage, in its parts. Thread: any.
  [[nodiscard]] stage_time time_of(stage_span stage, int place,
                                   int replicas) const;

private:
  /// Seconds for each unit of work of r workers from a place on.
  struct paces {
    double compute_us = 0;
    double update_us = 0;
    double sync_byte = 0;
    double input_byte = 0;
    double output_byte = 0;
    double memory_bytes = 0; ///< the bound
  };

  [[nodiscard]] paces pace(int place, int replicas) const;
  [[nodiscard]] double link_pace(int place, int replicas, int a, int b) const;
  [[nodiscard]] double round(int replicas) const;
  [[nodiscard]] const paces& pace_at(int place, int replicas) const;
  [[nodiscard]] stage_time time_at(stage_span stage, const paces& at) const;
  [[nodiscard]] bool fits(stage_span stage, int place, int replicas) const;

  const cut_list& cuts_;
  const cluster& on_;
  const plan_schedule& schedule_;
  double memory_bytes_;
  bool has_bounds_ = false;
  bool is_uniform_ = false;
  std::vector<std::vector<paces>> paces_; ///< by place, by replicas - 1
};

} // namespace pd
