/// y = batch_norm(x), then + residual and ReLU or ReLU6 where they are fused
/// in.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"

namespace pd {

/// x, y: [N, C, H, W] or [N, C]. A second input of x's shape is added before
/// the ReLU. Parameters: weight, bias [C]; running_mean, running_var [C];
/// num_batches_tracked [], a counter.
///
/// Settings: eps, momentum, relu or relu6.
/// Paper: arXiv 1502.03167, algorithms 1 and 2.
class batch_norm final : public op {
public:
  enum parameter_index { weight, bias, running_mean, running_var, batches };

  struct settings {
    double eps = 1e-5;
    double momentum = 0.1; ///< weight of the batch in the running statistics
    bool relu = false;
    bool relu6 = false;
  };

  explicit batch_norm(const settings& as) : as_{as} {}

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
