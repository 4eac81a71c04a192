/// MNASNet-B1 as torchvision has it: inverted residuals of two kernel sizes,
/// whose batch norms take little of a batch into their running statistics.
/// Paper: arXiv 1807.11626.

#include "engine/models/families.hpp"

namespace pd {

namespace {

/// layers.8 ... layers.13: blocks alike but for the first one's stride.
struct block_stack {
  std::int64_t channels, kernel, stride, expansion, blocks;
};

constexpr block_stack stacks[]{{24, 3, 2, 3, 3},  {40, 5, 2, 3, 3},
                               {80, 5, 2, 6, 3},  {96, 3, 1, 6, 2},
                               {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}};

class mnasnet_builder {
public:
  explicit mnasnet_builder(const model_options& options)
    : options_{options}, net_{"mnasnet1_0"} {}

  result<graph> build() {
    auto x = add_layers(add_image(net_, options_));
    x = net_.flatten("flatten", net_.global_avg_pool("avgpool", x));
    {
      const auto block = net_.within("classifier");
      x = net_.dropout("0", x, options_.dropout.value_or(0.2));
      x = net_.linear("1", x, options_.classes, {"uniform_fan_out"});
    }
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  /// Names count on from `first`, as in torchvision.
  int convolution(int first, int x, conv2d_settings with, bool has_relu) {
    with.bias = false;
    with.init = {"kaiming_fan_out"};
    x = net_.conv2d(std::to_string(first), x, with);
    x = net_.batch_norm(std::to_string(first + 1), x, {.momentum = 1 - 0.9997});
    return has_relu ? net_.relu(std::to_string(first + 2), x) : x;
  }

  int add_layers(int x) {
    const auto block = net_.within("layers");
    x = convolution(
      0, x, {.out_channels = 32, .kernel = 3, .stride = 2, .padding = 1}, true);
    x = convolution(
      3, x, {.out_channels = 32, .kernel = 3, .padding = 1, .groups = 32},
      true);
    x = convolution(6, x, {.out_channels = 16}, false);
    std::int64_t channels = 16;
    int number = 8;
    for (const auto& each : stacks) {
      const auto stack = net_.within(std::to_string(number++));
      x = add_stack(x, channels, each);
      channels = each.channels;
    }
    return convolution(number, x, {.out_channels = 1280}, true);
  }

  /// inputs: channels of x.
  int add_stack(int x, std::int64_t inputs, const block_stack& with) {
    x = add_first(x, inputs, with);
    for (std::int64_t i = 1; i < with.blocks; ++i) {
      const auto block = net_.within(std::to_string(i));
      auto own = with;
      own.stride = 1;
      x = net_.sum("add", add_branch(x, with.channels, own), x);
    }
    return x;
  }

  int add_first(int x, std::int64_t inputs, const block_stack& with) {
    const auto block = net_.within("0");
    return add_branch(x, inputs, with);
  }

  int add_branch(int x, std::int64_t inputs, const block_stack& with) {
    const auto branch = net_.within("layers");
    const auto wide = inputs * with.expansion;
    x = convolution(0, x, {.out_channels = wide}, true);
    x = convolution(3, x,
                    {.out_channels = wide,
                     .kernel = with.kernel,
                     .stride = with.stride,
                     .padding = with.kernel / 2,
                     .groups = wide},
                    true);
    return convolution(6, x, {.out_channels = with.channels}, false);
  }

  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_mnasnet1_0(const model_options& options) {
  return mnasnet_builder{options}.build();
}

} // namespace pd
