#include "ops/expect.hpp"

namespace pd {

namespace {

error bad_shape(const std::string& op, const std::string& text) {
  return {errc::bad_shape, op + ": " + text};
}

result<shape> one_input(const std::string& op, std::span<const shape> inputs,
                        int rank, const std::string& form) {
  if (inputs.size() != 1)
    return bad_shape(op, "takes 1 input, got " + std::to_string(inputs.size()));
  if (inputs[0].rank() != rank)
    return bad_shape(op, "wanted an input " + form + ", got "
                           + to_string(inputs[0]));
  return inputs[0];
}

} // namespace

result<shape> one_image(const std::string& op, std::span<const shape> inputs) {
  return one_input(op, inputs, 4, "[N, C, H, W]");
}

result<shape> one_row(const std::string& op, std::span<const shape> inputs) {
  return one_input(op, inputs, 2, "[N, F]");
}

result<shape> one_of_features(const std::string& op,
                              std::span<const shape> inputs) {
  const bool has_tokens = inputs.size() == 1 && inputs[0].rank() == 3;
  return one_input(op, inputs, has_tokens ? 3 : 2, "[N, F] or [N, T, F]");
}

result<shape> one_of_tokens(const std::string& op,
                            std::span<const shape> inputs) {
  return one_input(op, inputs, 3, "[N, T, C]");
}

std::array<std::int64_t, 2> read_kernel(attribute_reader& read,
                                        const attributes& settings) {
  if (!settings.contains("kernel"))
    read.required_integer("kernel", 1); // fails, with the reader's wording
  return read.pair("kernel", {1, 1}, 1);
}

// PyTorch's rule: with ceil_mode the last window may end outside, but must
// start inside the image or its left padding.
std::int64_t sliding_window::outputs_along(int axis,
                                           std::int64_t extent) const {
  const auto i = static_cast<std::size_t>(axis);
  const auto rest = extent + 2 * padding[i] - span(axis);
  const auto reach = rest + (ceil_mode ? stride[i] - 1 : 0);
  if (reach < 0)
    return 0;
  const auto most = reach / stride[i];
  if (!ceil_mode)
    return most + 1;
  return most * stride[i] >= extent + padding[i] ? most : most + 1;
}

result<void> sliding_window::check_pool_padding(const std::string& op) const {
  for (std::size_t i = 0; i < 2; ++i)
    if (padding[i] > kernel[i] / 2)
      return error{errc::bad_value,
                   op + ": padding: wanted at most half of kernel = "
                     + std::to_string(kernel[i]) + ", got "
                     + std::to_string(padding[i])};
  return {};
}

result<std::array<std::int64_t, 2>>
sliding_window::outputs(const std::string& op, const shape& image) const {
  std::array<std::int64_t, 2> found{};
  for (int axis = 0; axis < 2; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    found[i] = outputs_along(axis, image[2 + axis]);
    if (found[i] > 0)
      continue;
    const std::string name = axis == 0 ? "height" : "width";
    return bad_shape(op, "kernel spans " + std::to_string(span(axis))
                           + " pixels of " + name + ", input has "
                           + std::to_string(image[2 + axis]) + " and padding "
                           + std::to_string(padding[i]) + " on each side");
  }
  return found;
}

} // namespace pd
