/// The three pools that average: avg_pool, global_avg_pool, adaptive_avg_pool.
/// Each is a choice of windows, an axis at a time; one kernel does all.

#pragma once

#include "engine/graph/op.hpp"
#include "ops/expect.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace pd {

/// What one output row (or column) averages: the rows begin ... end - 1 of the
/// image, whose sum is divided by `counted`.
struct averaged {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t counted = 1; ///< of the two axes, the product divides
};

/// x: [N, C, H, W]; y: [N, C, H', W'].
class averaging_op : public op {
public:
  /// Of the axis 0 (height) or 1 (width) of an image.
  ///
  /// Invariant (1): `begin` and `end` never fall from one output to the next.
  [[nodiscard]] virtual std::vector<averaged>
  windows(int axis, std::int64_t extent) const = 0;

  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;
};

/// Settings: kernel, stride (the kernel's), padding, ceil_mode,
/// count_include_pad.
class avg_pool final : public averaging_op {
public:
  avg_pool(const sliding_window& window, bool counts_padding)
    : window_{window}, counts_padding_{counts_padding} {}

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<averaged>
  windows(int axis, std::int64_t extent) const override;

private:
  sliding_window window_;
  bool counts_padding_;
};

/// Setting: output, [h, w] of any size; PyTorch's bins. A global_avg_pool is
/// the same with [1, 1].
class adaptive_avg_pool final : public averaging_op {
public:
  adaptive_avg_pool(const char* name, std::array<std::int64_t, 2> output)
    : name_{name}, output_{output} {}

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<averaged>
  windows(int axis, std::int64_t extent) const override;

private:
  const char* name_;
  std::array<std::int64_t, 2> output_;
};

} // namespace pd
