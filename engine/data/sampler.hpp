/// Which samples make which microbatch: a function of (seed, epoch) alone.
///
/// Invariants:
///
/// (1) The order of an epoch does not depend on any epoch before it.
///
/// (2) An epoch of training has whole rounds of whole microbatches; the rest of
///     the samples is left over, others in each shuffled epoch.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace pd {

struct sampler_spec {
  std::int64_t samples = 0;          ///< of the dataset
  std::int64_t microbatch = 1;       ///< samples of a microbatch
  std::int64_t round = 1;            ///< microbatches; round_of(all stages')
  std::int64_t max_microbatches = 0; ///< of an epoch; 0: no limit
  std::uint64_t seed = 0;
  bool shuffle = true;
  bool takes_all = false; ///< evaluation: a short last microbatch counts too
};

/// The least count of microbatches that fills whole rounds on every stage.
[[nodiscard]] std::int64_t round_of(std::span<const std::int64_t> rounds);

/// Writes the order of one epoch: the Fisher-Yates permutation drawn from
/// Philox keyed by (seed, "shuffle", epoch).
void shuffle_order(std::span<std::int64_t> order, std::uint64_t seed,
                   std::int64_t epoch);

/// The replica that runs a microbatch.
[[nodiscard]] constexpr int replica_of(std::int64_t microbatch, int replicas) {
  return static_cast<int>(microbatch % replicas);
}

/// The first microbatch at or after `microbatch` that `replica` runs.
[[nodiscard]] constexpr std::int64_t
next_of_replica(std::int64_t microbatch, int replica, int replicas) {
  const auto behind = replica - microbatch % replicas;
  return microbatch + (behind >= 0 ? behind : behind + replicas);
}

/// A value: a copy is a sampler of its own.
class sampler {
public:
  /// Begins at epoch 0. Errors: bad_value if a count is out of range or the
  /// samples do not fill one round.
  static result<sampler> make(const sampler_spec& spec);

  /// Makes `epoch` the current one. Allocates nothing.
  void start_epoch(std::int64_t epoch);

  /// The samples of a microbatch of the current epoch; fewer than spec's only
  /// in the last one of an evaluation.
  /// @pre 0 <= microbatch < microbatches()
  [[nodiscard]] std::span<const std::int64_t>
  indices(std::int64_t microbatch) const;

  [[nodiscard]] const sampler_spec& spec() const { return spec_; }
  [[nodiscard]] std::int64_t epoch() const { return epoch_; }
  /// Microbatches of an epoch.
  [[nodiscard]] std::int64_t microbatches() const { return microbatches_; }
  /// Samples of an epoch that no microbatch has.
  [[nodiscard]] std::int64_t left_over() const;

private:
  explicit sampler(const sampler_spec& spec);

  sampler_spec spec_;
  std::int64_t microbatches_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<std::int64_t> order_;
};

} // namespace pd
