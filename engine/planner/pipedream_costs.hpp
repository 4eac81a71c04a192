/// PipeDream's cost model, as its published program computes it.
///
/// A stage from cut i to cut j on m of the M units of a level, of n units of
/// the level below each, over links of B bytes a second:
///
///     the first    (C + 4 (m - 1) P / (B m) / n) / m
///     any other    max((C + 4 (m - 1) P / (B m)) / m,
///                      2 o(i) / (B m), 2 o(j) / (B m) unless j is the last)
///
/// where C is its time, on the lowest level the profile's and on another that
/// of its best chain on all units of the level below; P its parameters; o what
/// leaves a cut. So the sums stand where the paper has the longest of the two,
/// and a byte is counted four times.
///
/// Paper: PipeDream, SOSP 2019, section 3.1.

#pragma once

#include "engine/planner/chain_search.hpp"
#include "engine/planner/cluster.hpp"
#include "engine/planner/stage_memory_model.hpp"

#include <memory>
#include <vector>

namespace pd {

/// Seconds of every stage on all units of a level.
class span_times {
public:
  explicit span_times(int cuts);
  [[nodiscard]] double& at(stage_span stage) { return times_[index(stage)]; }
  [[nodiscard]] double at(stage_span stage) const {
    return times_[index(stage)];
  }

private:
  [[nodiscard]] std::size_t index(stage_span stage) const {
    return static_cast<std::size_t>(stage.to) * cuts_
           + static_cast<std::size_t>(stage.from + 1);
  }

  std::size_t cuts_;
  std::vector<double> times_; ///< by `to`, then by `from` + 1
};

/// One level of it.
class pipedream_costs final : public stage_costs {
public:
  /// Keeps references. below: of the level below; nullptr on the lowest.
  /// schedule, memory_bytes: what bounds a worker; nullptr, 0 for no bound.
  pipedream_costs(const cut_list& cuts, const cluster& on, int level,
                  const span_times* below,
                  const plan_schedule* schedule = nullptr,
                  double memory_bytes = 0);

  [[nodiscard]] int workers() const override { return units_; }
  [[nodiscard]] bool depends_on_place() const override {
    return memory_bytes_ > 0;
  }
  void fill(stage_span stage, int place,
            std::span<double> costs) const override;

  [[nodiscard]] stage_time time_of(stage_span stage, int replicas) const;
  /// As if no stage were before it.
  [[nodiscard]] stage_time time_of_first(stage_span stage, int replicas) const;
  [[nodiscard]] double compute_s(stage_span stage) const;

private:
  const cut_list& cuts_;
  const span_times* below_;
  const plan_schedule* schedule_;
  double memory_bytes_;
  int units_;
  int units_below_;
  double bandwidth_;
};

} // namespace pd
