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
  as.separator = read.text("separator", ".", {".", "_"});
  PD_CHECK(read.finish());
  PD_CHECK(as.start.check("linear", settings, as.bias));
  return std::unique_ptr<op>{std::make_unique<linear>(as)};
}

result<shape> linear::infer(std::span<const shape> inputs) const {
  PD_TRY(auto made, one_of_features("linear", inputs));
  made[made.rank() - 1] = as_.out_features;
  return made;
}

namespace {

std::int64_t features_of(const shape& x) {
  return x[x.rank() - 1];
}

} // namespace

std::vector<parameter> linear::parameters(std::span<const shape> inputs) const {
  const shape extents{as_.out_features, features_of(inputs[0])};
  std::vector<parameter> made;
  made.push_back({"weight", extents, as_.start.of_weight(extents)});
  if (as_.bias)
    made.push_back(
      {"bias", shape{as_.out_features}, as_.start.of_bias(extents)});
  for (auto& each : made)
    each.separator = as_.separator;
  return made;
}

op_cost linear::cost(std::span<const shape> inputs, const shape& output) const {
  const double each = 2.0 * static_cast<double>(output.elems())
                      * static_cast<double>(features_of(inputs[0]));
  return {each, each, each};
}

} // namespace pd
