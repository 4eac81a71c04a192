/// A node of a rehearsal: it takes time and has bytes, and computes nothing.

#pragma once

#include "engine/graph/op.hpp"

#include <cstdint>

namespace pd {

/// Output: [N, elems] of any values, or zeros; whatever the inputs are.
/// "weight": f32 [parameter_elems], which starts at zero, if there are any.
///
/// Its kernel is of device "replay" alone: it passes the times there
/// (engine/device/replay_device.hpp) and writes nothing but zeros into its
/// parameter's gradient.
class replay final : public op {
public:
  struct settings {
    std::int64_t elems = 1;
    std::int64_t parameter_elems = 0;
    double forward_us = 0; ///< of a microbatch
    double backward_input_us = 0;
    double backward_weight_us = 0;
    bool is_zero = false;
  };

  explicit replay(const settings& as) : as_{as} {}
  [[nodiscard]] const settings& as() const { return as_; }

  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] std::vector<parameter>
  parameters(std::span<const shape> inputs) const override;

private:
  settings as_;
};

} // namespace pd
