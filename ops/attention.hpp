/// y = softmax(Q K^T / sqrt(d)) V for each head.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"

namespace pd {

/// x: [N, T, 3 C], of each token Q, K and V, of each of these the heads one
/// after another, d = C / heads numbers each; y: [N, T, C]. So it stands
/// between two `linear`, as in PyTorch's MultiheadAttention.
///
/// Settings: heads.
/// Paper: arXiv 1706.03762, section 3.2.
class attention final : public op {
public:
  explicit attention(std::int64_t heads) : heads_{heads} {}

  [[nodiscard]] std::int64_t heads() const { return heads_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  std::int64_t heads_;
};

} // namespace pd
