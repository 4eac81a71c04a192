/// y = conv(x, weight) + bias, then ReLU if it is fused in.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"
#include "ops/expect.hpp"
#include "ops/weight_start.hpp"

namespace pd {

/// x: [N, I, H, W]; y: [N, O, H', W']; weight: [O, I / groups, kh, kw];
/// bias: [O].
///
/// Settings: out_channels, kernel, stride, padding, dilation, groups, bias,
/// relu, and those of weight_start.
class conv2d final : public op {
public:
  struct settings {
    std::int64_t out_channels = 1;
    sliding_window window;
    std::int64_t groups = 1;
    bool bias = true;
    bool relu = false;
    weight_start start;
  };

  explicit conv2d(const settings& as) : as_{as} {}

  [[nodiscard]] const settings& set() const { return as_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  [[nodiscard]] shape weight_extents(const shape& image) const;

  settings as_;
};

} // namespace pd
