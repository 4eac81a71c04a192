/// An optimizer's rule on a device: element by element, over all parameters
/// of a stage at once.

#pragma once

#include "engine/base/error.hpp"
#include "engine/device/device.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace pd {

/// The numbers of a rule, as PyTorch's optimizers take them.
struct optimizer_settings {
  std::string name = "sgd"; ///< sgd | adam | adamw
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0; ///< sgd, adam: added to the gradient; adamw: apart
};

/// One update of `elems` contiguous elements.
struct update_call {
  const float* weights = nullptr;   ///< the newest version
  float* new_weights = nullptr;     ///< the next version; may be `weights`
  void* new_weights_bf16 = nullptr; ///< a rounded copy for kernels, or null
  const float* grads = nullptr;
  std::span<float* const> moments; ///< update_rule::moments() arrays
  std::int64_t elems = 0;
  std::int64_t step = 1; ///< 1 for the first update
  double lr = 0;
  double grad_scale = 1; ///< grads are multiplied by it first
};

/// Thread: one at a time, on the stream's.
class update_rule {
public:
  virtual ~update_rule() = default;
  /// Arrays of f32 that the rule keeps for each element, zero at first.
  [[nodiscard]] virtual int moments() const = 0;
  virtual void apply(const update_call& call) = 0;
  /// The sum of the squares of `values`, in an order that does not depend on
  /// timing. For clipping by norm.
  [[nodiscard]] virtual double
  sum_of_squares(std::span<const float> values) = 0;
};

/// Errors: bad_value for a number outside its range.
using update_factory =
  result<std::unique_ptr<update_rule>> (*)(const optimizer_settings&);

} // namespace pd
