/// The versions of a stage's weights, their gradients, and the statistics.
///
///     version 0 is the initial value; update t makes version t + 1
///
/// Invariants:
///
/// (1) The newest version always exists. With a capacity of 1 the next one is
///     made in its place.
///
/// (2) A pinned version keeps its bytes until it is unpinned.

#pragma once

#include "engine/device/device.hpp"
#include "engine/program/stage_plan.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pd {

/// One version: what kernels and the optimizer see of it.
struct weight_version {
  std::int64_t number = 0;
  float* f32 = nullptr;      ///< stage_plan::trainable_elems
  std::byte* bf16 = nullptr; ///< the same elements, rounded; null in f32 runs
  int pins = 0;
  std::vector<buffer> memory;
};

/// Thread: the stage's.
class weight_store {
public:
  /// Errors: out_of_memory.
  [[nodiscard]] static result<std::unique_ptr<weight_store>>
  make(const stage_plan& plan, int capacity, device& on);

  [[nodiscard]] weight_version& newest() { return versions_[newest_]; }
  /// @pre the version is kept
  [[nodiscard]] weight_version& version(std::int64_t number);

  /// Where the next version is to be written; commit() makes it the newest.
  /// @pre with a capacity above 1: some version but the newest is not pinned;
  ///      with 1: the newest is not pinned
  [[nodiscard]] weight_version& next();
  void commit();

  /// Room for all versions at once; of what is neither pinned nor the newest
  /// the bytes may be any.
  [[nodiscard]] std::span<const weight_version> versions() const {
    return versions_;
  }

  [[nodiscard]] float* gradients() const;
  [[nodiscard]] std::byte* statistics() const { return statistics_.data(); }
  [[nodiscard]] std::int64_t trainable_elems() const { return elems_; }

private:
  weight_store() = default;
  [[nodiscard]] std::size_t free_version() const;

  std::vector<weight_version> versions_;
  std::size_t newest_ = 0;
  std::size_t next_ = 0;
  std::int64_t elems_ = 0;
  buffer gradients_;
  buffer statistics_;
};

} // namespace pd
