/// flatten and concat: values as they are, in another shape.

#include "ops/rules.hpp"

namespace pd {

namespace {

/// [N, ...] -> [N, the product of the rest], in PyTorch's order.
class flatten final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    if (inputs.size() != 1)
      return error{errc::bad_shape, "flatten: takes 1 input, got "
                                      + std::to_string(inputs.size())};
    if (inputs[0].rank() < 2)
      return error{errc::bad_shape, "flatten: wanted an input [N, ...], got "
                                      + to_string(inputs[0])};
    return shape{inputs[0][0], inputs[0].elems() / inputs[0][0]};
  }
};

/// Inputs one after another along the channels (axis 1).
class concat final : public op {
public:
  [[nodiscard]] result<shape>
  infer(std::span<const shape> inputs) const override {
    if (inputs.empty())
      return error{errc::bad_shape, "concat: takes at least 1 input, got 0"};
    auto made = inputs[0];
    if (made.rank() != 4 && made.rank() != 2)
      return error{errc::bad_shape,
                   "concat: wanted inputs [N, C, H, W] or [N, C], got "
                     + to_string(made)};
    made[1] = 0;
    for (const auto& each : inputs) {
      auto like = inputs[0];
      if (each.rank() == like.rank())
        like[1] = each[1];
      if (each != like)
        return error{errc::bad_shape,
                     "concat: wanted inputs alike but for the channels, got "
                       + to_string(inputs[0]) + " and " + to_string(each)};
      made[1] += each[1];
    }
    return made;
  }
};

} // namespace

made_op make_flatten(const attributes& settings) {
  attribute_reader read{"flatten", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<flatten>()};
}

made_op make_concat(const attributes& settings) {
  attribute_reader read{"concat", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<concat>()};
}

} // namespace pd
