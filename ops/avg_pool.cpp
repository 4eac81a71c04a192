#include "ops/avg_pool.hpp"

#include "ops/rules.hpp"

#include <algorithm>

namespace pd {

op_cost averaging_op::cost(std::span<const shape> inputs,
                           const shape& output) const {
  double sums = static_cast<double>(output[0] * output[1]);
  for (int axis = 0; axis < 2; ++axis) {
    std::int64_t along = 0;
    for (const auto& each : windows(axis, inputs[0][2 + axis]))
      along += each.end - each.begin;
    sums *= static_cast<double>(along);
  }
  return {sums, sums, 0};
}

// -- avg_pool ----------------------------------------------------------------

made_op make_avg_pool(const attributes& settings) {
  attribute_reader read{"avg_pool", settings};
  sliding_window window;
  window.kernel = read_kernel(read, settings);
  window.stride = read.pair("stride", window.kernel, 1);
  window.padding = read.pair("padding", {0, 0}, 0);
  window.ceil_mode = read.flag("ceil_mode", false);
  const bool counts_padding = read.flag("count_include_pad", true);
  PD_CHECK(read.finish());
  PD_CHECK(window.check_pool_padding("avg_pool"));
  return std::unique_ptr<op>{
    std::make_unique<avg_pool>(window, counts_padding)};
}

result<shape> avg_pool::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto image, one_image("avg_pool", inputs));
  PD_TRY(const auto outputs, window_.outputs("avg_pool", image));
  return shape{image[0], image[1], outputs[0], outputs[1]};
}

/// PyTorch's: a window that ceil_mode lets reach beyond the padding counts
/// only what is image or padding.
std::vector<averaged> avg_pool::windows(int axis, std::int64_t extent) const {
  const auto i = static_cast<std::size_t>(axis);
  const auto padding = window_.padding[i];
  std::vector<averaged> made(
    static_cast<std::size_t>(window_.outputs_along(axis, extent)));
  std::int64_t start = -padding;
  for (auto& each : made) {
    const auto stop = std::min(start + window_.kernel[i], extent + padding);
    each.begin = std::max(start, std::int64_t{0});
    each.end = std::min(stop, extent);
    each.counted = counts_padding_ ? stop - start : each.end - each.begin;
    start += window_.stride[i];
  }
  return made;
}

// -- adaptive_avg_pool -------------------------------------------------------

made_op make_adaptive_avg_pool(const attributes& settings) {
  attribute_reader read{"adaptive_avg_pool", settings};
  if (!settings.contains("output"))
    read.required_integer("output", 1); // fails, with the reader's wording
  const auto output = read.pair("output", {1, 1}, 1);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{
    std::make_unique<adaptive_avg_pool>("adaptive_avg_pool", output)};
}

made_op make_global_avg_pool(const attributes& settings) {
  attribute_reader read{"global_avg_pool", settings};
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<adaptive_avg_pool>(
    "global_avg_pool", std::array<std::int64_t, 2>{1, 1})};
}

result<shape> adaptive_avg_pool::infer(std::span<const shape> inputs) const {
  PD_TRY(const auto image, one_image(name_, inputs));
  return shape{image[0], image[1], output_[0], output_[1]};
}

std::vector<averaged> adaptive_avg_pool::windows(int axis,
                                                 std::int64_t extent) const {
  const auto outputs = output_[static_cast<std::size_t>(axis)];
  std::vector<averaged> made;
  for (std::int64_t o = 0; o < outputs; ++o) {
    const auto begin = o * extent / outputs;
    const auto end = ((o + 1) * extent + outputs - 1) / outputs;
    made.push_back({begin, end, end - begin});
  }
  return made;
}

} // namespace pd
