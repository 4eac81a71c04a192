/// y = x weight^T + bias, then ReLU if it is fused in.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"
#include "ops/weight_start.hpp"

#include <string>

namespace pd {

/// x: [N, I] or [N, T, I]; y: [N, O] or [N, T, O]; weight: [O, I]; bias: [O].
///
/// Settings: out_features, bias, relu, those of weight_start, and separator
/// ("." | "_", which names the parameters in_proj_weight, as PyTorch's
/// MultiheadAttention).
class linear final : public op {
public:
  struct settings {
    std::int64_t out_features = 1;
    bool bias = true;
    bool relu = false;
    weight_start start;
    std::string separator = ".";
  };

  explicit linear(settings as) : as_{std::move(as)} {}

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
