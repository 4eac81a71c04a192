#include "ops/elementwise.hpp"

#include "ops/rules.hpp"

namespace pd {

result<shape> elementwise::infer(std::span<const shape> inputs) const {
  if (inputs.size() < least_ || inputs.size() > most_)
    return error{errc::bad_shape, name_ + ": takes "
                                    + (most_ > least_ ? "at least " : "")
                                    + std::to_string(least_)
                                    + (least_ == 1 ? " input" : " inputs")
                                    + ", got " + std::to_string(inputs.size())};
  for (const auto& each : inputs)
    if (each != inputs[0])
      return error{errc::bad_shape, name_ + ": wanted inputs of one shape, got "
                                      + to_string(inputs[0]) + " and "
                                      + to_string(each)};
  return inputs[0];
}

op_cost elementwise::cost(std::span<const shape> inputs,
                          const shape& output) const {
  const auto flops =
    static_cast<double>(inputs.size()) * static_cast<double>(output.elems());
  return {.forward_flops = flops, .backward_input_flops = flops};
}

made_op make_relu(const attributes& settings) {
  attribute_reader read{"relu", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<elementwise>("relu")};
}

/// min(max(x, 0), 6). Paper: arXiv 1704.04861, section 3.
made_op make_relu6(const attributes& settings) {
  attribute_reader read{"relu6", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<elementwise>("relu6")};
}

made_op make_identity(const attributes& settings) {
  attribute_reader read{"identity", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<elementwise>("identity")};
}

/// From a loader's plain f32 to the device's activation layout and the run's
/// precision: a border.
made_op make_to_activation(const attributes& settings) {
  attribute_reader read{"to_activation", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<elementwise>("to_activation")};
}

made_op make_add(const attributes& settings) {
  attribute_reader read{"add", settings};
  const bool has_relu = read.flag("relu", false);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<sum>(has_relu)};
}

made_op make_gelu(const attributes& settings) {
  attribute_reader read{"gelu", settings};
  const auto form = read.text("approximate", "none", {"none", "tanh"});
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<gelu>(form == "tanh")};
}

made_op make_dropout(const attributes& settings) {
  attribute_reader read{"dropout", settings};
  const auto p = read.number("p", 0.5, 0, 0.999);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<dropout>(p)};
}

} // namespace pd
