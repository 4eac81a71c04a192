/// Memory as a cost: the chain whose fullest worker holds the least.

#pragma once

#include "engine/planner/stage_costs.hpp"
#include "engine/planner/stage_memory_model.hpp"

namespace pd {

[[nodiscard]] stage_bytes bytes_of(const cut_list& in, stage_span stage);

/// What a worker of the stage holds.
[[nodiscard]] double memory_of(const cut_list& in,
                               const plan_schedule& schedule, stage_span stage,
                               const stage_place& at);

/// True if all replicas have the same share of a round.
[[nodiscard]] bool shares_round(const plan_schedule& schedule, int replicas);

class memory_costs final : public stage_costs {
public:
  /// Keeps references.
  memory_costs(const cut_list& cuts, const plan_schedule& schedule, int workers)
    : cuts_{cuts}, schedule_{schedule}, workers_{workers} {}

  [[nodiscard]] int workers() const override { return workers_; }
  [[nodiscard]] bool depends_on_place() const override { return true; }
  void fill(stage_span stage, int place,
            std::span<double> costs) const override;

private:
  const cut_list& cuts_;
  const plan_schedule& schedule_;
  int workers_;
};

} // namespace pd
