#include "ops/linear.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

namespace pd {

made_op make_linear(const attributes& settings) {
  attribute_reader read{"linear", settings};
  linear::settings as;
  as.out_features = read.required_integer("out_features", 1);
  as.bias = read.flag("bias", true);
  as.relu = read.flag("relu", false);
  as.start = weight_start::read(read);
  PD_CHECK(read.finish());
  PD_CHECK(as.start.check("linear", settings, as.bias));
  return std::unique_ptr<op>{std::make_unique<linear>(as)};
}

result<shape> linear::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto rows, one_row("linear", inputs));
  return shape{rows[0], as_.out_features};
}

std::vector<parameter> linear::parameters(std::span<const shape> inputs) const {
  const shape extents{as_.out_features, inputs[0][1]};
  std::vector<parameter> made;
  made.push_back({"weight", extents, as_.start.of_weight(extents)});
  if (as_.bias)
    made.push_back(
      {"bias", shape{as_.out_features}, as_.start.of_bias(extents)});
  return made;
}

op_cost linear::cost(std::span<const shape> inputs, const shape& output) const {
  const double each = 2.0 * static_cast<double>(output.elems())
                      * static_cast<double>(inputs[0][1]);
  return {each, each, each};
}

} // namespace pd
