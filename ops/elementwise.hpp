/// The rule of ops whose output has the shape of their inputs.

#pragma once

#include "engine/graph/op.hpp"

#include <limits>
#include <string>

namespace pd {

/// Takes `least` to `most` inputs of one shape. No parameters.
class elementwise : public op {
public:
  explicit elementwise(std::string name, std::size_t least = 1,
                       std::size_t most = 1)
    : name_{std::move(name)}, least_{least}, most_{most} {}

  /// Errors: bad_shape for another number of inputs, or unlike shapes.
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override;
  [[nodiscard]] op_cost cost(std::span<const shape> inputs,
                             const shape& output) const override;

private:
  std::string name_;
  std::size_t least_;
  std::size_t most_;
};

/// y = x0 + x1 + ..., then ReLU if it is fused in.
class sum final : public elementwise {
public:
  explicit sum(bool has_relu)
    : elementwise{"add", 2, std::numeric_limits<std::size_t>::max()},
      has_relu_{has_relu} {}
  [[nodiscard]] bool has_relu() const { return has_relu_; }

private:
  bool has_relu_;
};

/// y = x Phi(x), Phi the normal distribution; or, with `tanh`, its
/// approximation x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
/// Paper: arXiv 1606.08415, section 2.
class gelu final : public elementwise {
public:
  explicit gelu(bool is_tanh) : elementwise{"gelu"}, is_tanh_{is_tanh} {}
  [[nodiscard]] bool is_tanh() const { return is_tanh_; }

private:
  bool is_tanh_;
};

/// In training, zeroes a share p of x and multiplies the rest by 1 / (1 - p).
/// Element i (in the plain order) of microbatch k stays where the uniform
/// number of (seed, node name, k, i) is at least p.
/// Paper: JMLR 15 (2014) 1929.
class dropout final : public elementwise {
public:
  explicit dropout(double p) : elementwise{"dropout"}, p_{p} {}
  [[nodiscard]] double p() const { return p_; }

private:
  double p_;
};

} // namespace pd
