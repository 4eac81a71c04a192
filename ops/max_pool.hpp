/// The largest of each window; padding never wins. The gradient goes to the
/// first of equals, in row order, as PyTorch's does.

#pragma once

#include "engine/graph/op.hpp"
#include "ops/expect.hpp"

namespace pd {

/// x: [N, C, H, W]; y: [N, C, H', W'].
///
/// Settings: kernel, stride (the kernel's), padding, dilation, ceil_mode.
class max_pool final : public op {
public:
  explicit max_pool(const sliding_window& window) : window_{window} {}

  [[nodiscard]] const sliding_window& window() const { return window_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  sliding_window window_;
};

} // namespace pd
