#include "ops/cpu/conv2d_form.hpp"

#include <algorithm>
#include <utility>

namespace pd::cpu {

namespace {

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

dnnl::memory::dims dims(const std::array<std::int64_t, 2>& pair,
                        std::int64_t less = 0) {
  return {pair[0] - less, pair[1] - less};
}

} // namespace

/// The smallest number of groups that make whole blocks together; all of them,
/// with padded channels, if none do.
void conv2d_form::choose_groups(std::int64_t block, std::int64_t input_channels,
                                std::int64_t output_channels) {
  const bool is_depthwise =
    groups > 1 && group_inputs == 1 && group_outputs == 1;
  form_groups = is_depthwise ? input_channels : 1;
  form_inputs = is_depthwise ? 1 : input_channels;
  form_outputs = is_depthwise ? 1 : output_channels;
  for (std::int64_t merged = 1; !is_depthwise && merged < groups; ++merged)
    if (groups % merged == 0 && merged * group_inputs % block == 0
        && merged * group_outputs % block == 0) {
      form_groups = groups / merged;
      form_inputs = merged * group_inputs;
      form_outputs = merged * group_outputs;
      return;
    }
}

conv2d_form conv2d_form::of(const conv2d& rule, const tensor_type& input,
                            const tensor_type& output) {
  const auto& as = rule.set();
  conv2d_form made;
  made.groups = as.groups;
  made.group_inputs = input.extents[1] / as.groups;
  made.group_outputs = output.extents[1] / as.groups;
  made.kernel_elems = as.window.kernel[0] * as.window.kernel[1];
  const auto block = channel_block(output.order);
  made.choose_groups(block,
                     rounded_up(input.extents[1], channel_block(input.order)),
                     rounded_up(output.extents[1], block));
  made.weights = {made.form_outputs, made.form_inputs, as.window.kernel[0],
                  as.window.kernel[1]};
  if (made.form_groups > 1)
    made.weights.insert(made.weights.begin(), made.form_groups);
  made.strides = dims(as.window.stride);
  made.dilations = dims(as.window.dilation, 1);
  made.padding = dims(as.window.padding);
  return made;
}

/// Where the kernel of (output channel, input channel of its group) starts in
/// the form's plain weights.
std::int64_t conv2d_form::place_of(std::int64_t output,
                                   std::int64_t input) const {
  const auto channel = output / group_outputs * group_inputs + input;
  const auto in_group = form_groups > 1 ? channel % form_inputs : channel;
  return (output * form_inputs + in_group) * kernel_elems;
}

void conv2d_form::spread(std::span<const float> plain,
                         std::span<float> form) const {
  std::ranges::fill(form, 0.0F);
  const auto* from = plain.data();
  for (std::int64_t o = 0; o < groups * group_outputs; ++o)
    for (std::int64_t i = 0; i < group_inputs; ++i, from += kernel_elems)
      std::copy_n(from, kernel_elems, form.data() + place_of(o, i));
}

void conv2d_form::gather(std::span<const float> form,
                         std::span<float> plain) const {
  auto* to = plain.data();
  for (std::int64_t o = 0; o < groups * group_outputs; ++o)
    for (std::int64_t i = 0; i < group_inputs; ++i, to += kernel_elems)
      std::copy_n(form.data() + place_of(o, i), kernel_elems, to);
}

} // namespace pd::cpu
