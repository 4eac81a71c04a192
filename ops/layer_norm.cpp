#include "ops/layer_norm.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

namespace pd {

made_op make_layer_norm(const attributes& settings) {
  attribute_reader read{"layer_norm", settings};
  const auto eps = read.number("eps", 1e-5, 0, 1);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<layer_norm>(eps)};
}

result<shape> layer_norm::infer(std::span<const shape> inputs) const {
  return one_of_features("layer_norm", inputs);
}

std::vector<parameter>
layer_norm::parameters(std::span<const shape> inputs) const {
  const shape features{inputs[0][inputs[0].rank() - 1]};
  return {{"weight", features, {initializer::kind::constant, 1, 0}},
          {"bias", features, {}}};
}

op_cost layer_norm::cost(std::span<const shape>, const shape& output) const {
  const auto elems = static_cast<double>(output.elems());
  return {7 * elems, 10 * elems, 4 * elems};
}

} // namespace pd
