/// How the weights of conv2d and linear start: rules of torch.nn.init.

#pragma once

#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"

#include <string>

namespace pd {

/// fan_in: elements of one output's weights; fan_out: outputs times pixels of
/// the kernel.
///
///     torch_default     uniform, +-1 / sqrt(fan_in)
///     kaiming_fan_out   normal, sqrt(2 / fan_out)      arXiv 1502.01852
///     kaiming_fan_in    normal, sqrt(2 / fan_in)
///     kaiming_uniform   uniform, +-sqrt(6 / fan_in)
///     uniform_fan_out   uniform, +-sqrt(3 / fan_out)
///     lecun_normal      normal, sqrt(1 / fan_in)
///     xavier_uniform    uniform, +-sqrt(6 / (fan_in + fan_out))
///     normal            normal, init_std
///     zero              0
///
/// A bias starts as torch_default's does (uniform, +-1 / sqrt(fan_in)), at zero
/// or almost (normal, 1e-6: torchvision's ViT).
struct weight_start {
  std::string rule = "torch_default";
  double std = 0.01; ///< of normal
  std::string bias = "torch_default";

  /// Reads `init`, `init_std`, `bias_init`. By default a bias starts at zero
  /// unless `init` is torch_default.
  static weight_start read(attribute_reader& from);

  /// What attribute_reader cannot say. Errors: bad_value if a setting would
  /// have no effect.
  [[nodiscard]] result<void>
  check(const std::string& op, const attributes& settings, bool has_bias) const;

  /// weight: [outputs, inputs of a group, kernel...].
  [[nodiscard]] initializer of_weight(const shape& weight) const;
  [[nodiscard]] initializer of_bias(const shape& weight) const;
};

} // namespace pd
