#include "ops/conv2d.hpp"

#include "ops/rules.hpp"

namespace pd {

namespace {

conv2d::settings read_settings(attribute_reader& read,
                               const attributes& settings) {
  conv2d::settings as;
  as.out_channels = read.required_integer("out_channels", 1);
  as.window.kernel = read_kernel(read, settings);
  as.window.stride = read.pair("stride", {1, 1}, 1);
  as.window.padding = read.pair("padding", {0, 0}, 0);
  as.window.dilation = read.pair("dilation", {1, 1}, 1);
  as.groups = read.integer("groups", 1, 1);
  as.bias = read.flag("bias", true);
  as.relu = read.flag("relu", false);
  as.start = weight_start::read(read);
  return as;
}

} // namespace

made_op make_conv2d(const attributes& settings) {
  attribute_reader read{"conv2d", settings};
  const auto as = read_settings(read, settings);
  PD_CHECK(read.finish());
  PD_CHECK(as.start.check("conv2d", settings, as.bias));
  if (as.out_channels % as.groups != 0)
    return error{errc::bad_value,
                 "conv2d: out_channels = " + std::to_string(as.out_channels)
                   + ", not divisible by groups = "
                   + std::to_string(as.groups)};
  return std::unique_ptr<op>{std::make_unique<conv2d>(as)};
}

result<shape> conv2d::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto image, one_image("conv2d", inputs));
  if (image[1] % as_.groups != 0)
    return error{errc::bad_shape,
                 "conv2d: input has C = " + std::to_string(image[1])
                   + ", not divisible by groups = "
                   + std::to_string(as_.groups)};
  PD_TRY(const auto outputs, as_.window.outputs("conv2d", image));
  return shape{image[0], as_.out_channels, outputs[0], outputs[1]};
}

shape conv2d::weight_extents(const shape& image) const {
  const auto& kernel = as_.window.kernel;
  return {as_.out_channels, image[1] / as_.groups, kernel[0], kernel[1]};
}

std::vector<parameter> conv2d::parameters(std::span<const shape> inputs) const {
  const auto extents = weight_extents(inputs[0]);
  std::vector<parameter> made;
  made.push_back({"weight", extents, as_.start.of_weight(extents)});
  if (as_.bias)
    made.push_back({"bias", shape{extents[0]}, as_.start.of_bias(extents)});
  return made;
}

op_cost conv2d::cost(std::span<const shape> inputs, const shape& output) const {
  const auto extents = weight_extents(inputs[0]);
  const auto per_output = extents.elems() / extents[0];
  const double each =
    2.0 * static_cast<double>(output.elems()) * static_cast<double>(per_output);
  return {each, each, each};
}

} // namespace pd
