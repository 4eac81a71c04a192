/// What a network costs by measurement, node by node: what a plan, a simulation
/// and a rehearsal start from. One minibatch of a profile is one microbatch of
/// a job. Paper: PipeDream, arXiv 1806.03377, section 3.1.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pd {

/// The median of repeated runs, and half the range of their middle half; both
/// 0 if nothing is done.
struct measured_time {
  double us = 0;
  double spread_us = 0;
};

struct profiled_node {
  std::string name;        ///< unique: "layer1.0.conv1", "node19"
  std::string description; ///< an op's type, or PyTorch's words for it
  std::vector<int> inputs; ///< indices of earlier nodes
  measured_time forward;
  measured_time backward_input; ///< a backward is both halves
  measured_time backward_weight;
  measured_time update; ///< of its parameters, once a round
  /// What leaves it for each minibatch, by output: most have one.
  std::vector<double> activation_bytes;
  double parameter_bytes = 0;
  double stash_bytes = 0; ///< what a minibatch in flight keeps for its backward
  std::optional<int> stage; ///< in a graph that is partitioned already
};

[[nodiscard]] double backward_us(const profiled_node& of);
[[nodiscard]] double compute_us(const profiled_node& of); ///< and the forward

/// All outputs together.
[[nodiscard]] double output_bytes(const profiled_node& of);

/// Invariants:
///
/// (1) Every input of a node stands before it; so the order of `nodes` is an
///     order of execution.
///
/// (2) Names are unique; times and bytes are finite and not negative.
struct profile {
  std::string network;        ///< "resnet50"
  std::string device;         ///< on what it was measured, in words
  std::int64_t minibatch = 0; ///< samples; 0 if nobody wrote it down
  std::vector<profiled_node> nodes;

  /// Errors: unknown_name with the nearest name.
  [[nodiscard]] result<int> find(const std::string& node_name) const;

  /// Holds the profile to its invariants. Errors: bad_value with the node.
  [[nodiscard]] result<void> validate() const;
};

} // namespace pd
