#include "ops/max_pool.hpp"

#include "ops/rules.hpp"

namespace pd {

made_op make_max_pool(const attributes& settings) {
  attribute_reader read{"max_pool", settings};
  sliding_window window;
  window.kernel = read_kernel(read, settings);
  window.stride = read.pair("stride", window.kernel, 1);
  window.padding = read.pair("padding", {0, 0}, 0);
  window.dilation = read.pair("dilation", {1, 1}, 1);
  window.ceil_mode = read.flag("ceil_mode", false);
  PD_CHECK(read.finish());
  PD_CHECK(window.check_pool_padding("max_pool"));
  return std::unique_ptr<op>{std::make_unique<max_pool>(window)};
}

namespace {

/// True if each window along an axis holds a pixel of the image; a dilated one
/// may step over a small image.
bool all_hold_pixels(const sliding_window& window, int axis,
                     std::int64_t extent) {
  const auto i = static_cast<std::size_t>(axis);
  for (std::int64_t o = 0; o < window.outputs_along(axis, extent); ++o) {
    bool holds = false;
    for (std::int64_t k = 0; k < window.kernel[i]; ++k) {
      const auto at =
        o * window.stride[i] - window.padding[i] + k * window.dilation[i];
      holds = holds || (at >= 0 && at < extent);
    }
    if (!holds)
      return false;
  }
  return true;
}

} // namespace

result<shape> max_pool::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto image, one_image("max_pool", inputs));
  PD_TRY(const auto outputs, window_.outputs("max_pool", image));
  for (int axis = 0; axis < 2; ++axis)
    if (!all_hold_pixels(window_, axis, image[2 + axis]))
      return error{errc::bad_shape, "max_pool: a window holds only padding: "
                                    "input is "
                                      + to_string(image)};
  return shape{image[0], image[1], outputs[0], outputs[1]};
}

op_cost max_pool::cost(std::span<const shape>, const shape& output) const {
  const auto elems = static_cast<double>(output.elems());
  const auto each = static_cast<double>(window_.kernel[0] * window_.kernel[1]);
  return {elems * each, elems * each, 0};
}

} // namespace pd
