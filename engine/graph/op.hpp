/// What an operation is, on no device: shapes, parameters, cost.

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/base/error.hpp"
#include "engine/base/random.hpp"
#include "engine/base/shape.hpp"

#include <span>
#include <string>
#include <vector>

namespace pd {

/// How a parameter starts.
struct initializer {
  enum class kind : std::uint8_t { constant, normal, uniform };

  kind how = kind::constant;
  double a = 0; ///< constant: the value; normal: mean; uniform: lower bound
  double b = 0; ///< normal: standard deviation; uniform: upper bound

  /// Fills `values` for (seed, name); element i depends on nothing else.
  void fill(std::uint64_t seed, const std::string& name,
            std::span<float> values) const;
};

/// One tensor that an op keeps between microbatches.
struct parameter {
  /// torchvision's: "weight", "running_mean"; "": it has the node's name.
  std::string suffix;
  shape extents; ///< PyTorch's layout: conv2d [O, I/groups, H, W]
  initializer initial;
  bool is_trainable = true;    ///< false: a statistic; it is saved, not updated
  dtype type = dtype::f32;     ///< i64 for a counter; only if not trainable
  std::string separator = "."; ///< between the node's name and the suffix

  /// Its name at the node `at`: "conv1.weight".
  [[nodiscard]] std::string name_at(const std::string& at) const;
};

/// What one microbatch costs at given shapes.
struct op_cost {
  double forward_flops = 0;
  double backward_input_flops = 0;
  double backward_weight_flops = 0;
};

/// A rule, made from a node's settings. Immutable.
///
/// Thread: any.
class op {
public:
  virtual ~op() = default;

  /// The output's shape, batch included.
  /// Errors: bad_shape that says wanted and got; the caller adds the node.
  [[nodiscard]] virtual result<shape>
  infer(std::span<const shape> inputs) const = 0;

  /// @pre infer(inputs) succeeded; so for the rest.
  [[nodiscard]] virtual std::vector<parameter>
  parameters(std::span<const shape>) const {
    return {};
  }

  [[nodiscard]] virtual op_cost cost(std::span<const shape>,
                                     const shape&) const {
    return {};
  }

  /// What an element of the output is. `activation` is the run's precision.
  [[nodiscard]] virtual dtype output_type(dtype activation) const {
    return activation;
  }

  /// True if the output is stored in the device's activation layout when it
  /// has rank 4 (all but values from outside).
  [[nodiscard]] virtual bool is_source() const { return false; }
};

} // namespace pd
