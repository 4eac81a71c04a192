/// y = weight (x - mean) / sqrt(variance + eps) + bias, over the last axis.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"

namespace pd {

/// x, y: [N, F] or [N, T, F]; weight, bias: [F].
///
/// Settings: eps.
/// Paper: arXiv 1607.06450, section 3.
class layer_norm final : public op {
public:
  explicit layer_norm(double eps) : eps_{eps} {}

  [[nodiscard]] double eps() const { return eps_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  double eps_;
};

} // namespace pd
