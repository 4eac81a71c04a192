/// y = x (k + alpha / size * the sum of x^2 over near channels) ^ -beta.

#pragma once

#include "engine/graph/op.hpp"

namespace pd {

/// x, y: [N, C, H, W]. Near channel c are those from c - size / 2 to
/// c + (size - 1) / 2, as far as there are any; the sum is divided by `size`
/// there too. No parameters.
///
/// Settings: size, alpha, beta, k: torch.nn.LocalResponseNorm's.
/// Paper: Krizhevsky et al., "ImageNet classification with deep convolutional
/// neural networks" (NIPS 2012), section 3.3, whose alpha is ours / size.
class local_response_norm final : public op {
public:
  struct settings {
    std::int64_t size = 1; ///< channels
    double alpha = 1e-4;
    double beta = 0.75;
    double k = 1;
  };

  explicit local_response_norm(const settings& as) : as_{as} {}

  [[nodiscard]] const settings& set() const { return as_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  settings as_;
};

} // namespace pd
