/// y = x weight^T + bias, then ReLU if it is fused in.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"
#include "ops/weight_start.hpp"

namespace pd {

/// x: [N, I]; y: [N, O]; weight: [O, I]; bias: [O].
///
/// Settings: out_features, bias, relu, and those of weight_start.
class linear final : public op {
public:
  struct settings {
    std::int64_t out_features = 1;
    bool bias = true;
    bool relu = false;
    weight_start start;
  };

  explicit linear(const settings& as) : as_{as} {}

  [[nodiscard]] const settings& set() const { return as_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  settings as_;
};

} // namespace pd
