/// Machines and the network among them, as a plan and a simulation see them.
///
///     level 2      ┌───────────┬─────────── 10 Gb/s ┐
///     level 1    ┌─┴─┬───┐   ┌─┴─┬───┐
///     workers    0   1   2   3   4   5      machines 3, 2
///
/// Invariants:
///
/// (1) Workers stand in the order of the machines: those of a group of any
///     level are next to each other.
///
/// (2) There is a level at least, and the product of the levels' machines is
///     the count of workers.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

struct cluster_worker {
  std::string address; ///< host:port; empty if none was given
  std::string device;  ///< "cuda:0"; empty likewise
  /// Of this machine, in which its process is started: tools/netlab.
  std::string network_namespace = {};
  double speed = 1;        ///< times the device of the profile
  double memory_bytes = 0; ///< 0: no bound
  bool operator==(const cluster_worker&) const = default;
};

/// What joins the groups of the level below (on the lowest, the workers) to a
/// group of this one. A link is each such group's own and goes both ways at
/// once.
struct network_level {
  int machines = 1;                 ///< groups of the level below in a group
  double bandwidth_bytes_per_s = 0; ///< of a link, each way
  double latency_s = 0;
  bool operator==(const network_level&) const = default;
};

struct cluster {
  std::vector<cluster_worker> workers;
  std::vector<network_level> levels; ///< from the lowest up

  [[nodiscard]] int size() const { return static_cast<int>(workers.size()); }

  /// The workers of one group of the level below `level`; 1 for level 0.
  [[nodiscard]] int group_workers(int level) const;

  /// The lowest level whose links join two workers: an index.
  /// @pre a and b are workers and differ
  [[nodiscard]] int level_between(int a, int b) const;

  /// Holds it to its invariants. Errors: bad_value.
  [[nodiscard]] result<void> validate() const;
};

/// Equal workers: machines[0] of them in a group, machines[1] such groups ...
/// Errors: bad_value if the lists are empty, differ in length or hold what is
/// no count or no bandwidth.
[[nodiscard]] result<cluster>
uniform_cluster(std::span<const std::int64_t> machines,
                std::span<const double> bandwidths_bytes_per_s);

} // namespace pd
