/// The mean cross-entropy of softmax(logits), and how many were right.

#pragma once

#include "engine/graph/op.hpp"

namespace pd {

/// logits: [N, K]; labels: i32 [N], those below 0 do not count.
/// Output: f32 [3]: mean loss; samples whose label is the greatest logit; those
/// whose label is among the five greatest. A label is among the k greatest if
/// fewer than k logits are greater.
///
/// label_smoothing e: the target is (1 - e) on the label and e / K on each.
/// Paper: arXiv 1512.00567, section 7.
///
/// weight: the loss, and so its gradient, is times this. `auxiliary` says that
/// the loss is of an auxiliary head (engine/graph/graph.hpp).
class softmax_loss final : public op {
public:
  softmax_loss(double smoothing, double weight)
    : smoothing_{smoothing}, weight_{weight} {}
  [[nodiscard]] double smoothing() const { return smoothing_; }
  [[nodiscard]] double weight() const { return weight_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] dtype output_type(dtype) const override { return dtype::f32; }

private:
  double smoothing_;
  double weight_;
};

} // namespace pd
