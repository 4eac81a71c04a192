/// A cluster as a simulation sees it: whose ports a transfer goes through.
///
///     level 0    workers of one machine, each with a port of its own
///     level 1    machines, each with a port that its workers share
///
/// Invariants:
///
/// (1) What goes from one worker to another goes through the ports of the
///     lowest level at which both are within one group, and loads no other.
///
/// (2) A port is full duplex: its bandwidth is there in both directions.

#pragma once

#include "engine/planner/cluster.hpp"

#include <vector>

namespace pd {

/// How replicas add up their gradients.
enum class reduction_kind {
  engine,   ///< as this engine does: best_sum_route of their machines
  exchange, ///< each with each: engine/comm/segmented_sum
  chain,    ///< along the ranks and back: engine/comm/chain_sum
  ring      ///< each with the next, not in the ranks' order (arXiv 1802.05799)
};

/// Without levels every transfer is free: workers are threads of one process.
struct fabric {
  std::vector<network_level> levels = {};
  reduction_kind reduction = reduction_kind::engine;
  /// By worker, times the device of the profile; empty: all 1.
  std::vector<double> speeds = {};

  [[nodiscard]] bool is_free() const { return levels.empty(); }
  /// Workers that there is room for.
  [[nodiscard]] std::int64_t workers() const;
  /// Which member of level `level` a worker is in, or is.
  [[nodiscard]] int member_of(int worker, int level) const;
  /// Which machine it is in: a member of level 1, or alone.
  [[nodiscard]] int machine_of(int worker) const;
  /// (1). @pre a != b and both are below workers()
  [[nodiscard]] int level_between(int a, int b) const;

  /// Errors: bad_value if there is no room for so many workers.
  [[nodiscard]] result<void> check(int workers) const;
};

/// @pre from.validate()
[[nodiscard]] fabric fabric_of(const cluster& from,
                               reduction_kind how = reduction_kind::engine);

} // namespace pd
