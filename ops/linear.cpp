#include "ops/linear.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

#include <cmath>

namespace pd {

made_op make_linear(const attributes& settings) {
  attribute_reader read{"linear", settings};
  linear::settings as;
  as.out_features = read.required_integer("out_features", 1);
  as.bias = read.flag("bias", true);
  as.relu = read.flag("relu", false);
  as.normal =
    read.text("init", "torch_default", {"torch_default", "normal"}) == "normal";
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<linear>(as)};
}

result<shape> linear::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto rows, one_row("linear", inputs));
  return shape{rows[0], as_.out_features};
}

std::vector<parameter> linear::parameters(std::span<const shape> inputs) const {
  using kind = initializer::kind;
  const auto features = inputs[0][1];
  const double bound = 1 / std::sqrt(static_cast<double>(features));
  const initializer uniform{kind::uniform, -bound, bound};
  const initializer normal{kind::normal, 0, 0.01};
  std::vector<parameter> made;
  made.push_back({"weight", shape{as_.out_features, features},
                  as_.normal ? normal : uniform});
  if (as_.bias)
    made.push_back(
      {"bias", shape{as_.out_features}, as_.normal ? initializer{} : uniform});
  return made;
}

op_cost linear::cost(std::span<const shape> inputs, const shape& output) const {
  const double each = 2.0 * static_cast<double>(output.elems())
                      * static_cast<double>(inputs[0][1]);
  return {each, each, each};
}

} // namespace pd
