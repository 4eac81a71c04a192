/// MobileNetV2 as torchvision has it. A block, with its name in front of each
/// name, widens, convolves every channel by itself, and narrows:
///
///     conv.0 [.0 .1 .2]  1x1, batch norm, ReLU6   (not in the first block)
///     conv.1 [.0 .1 .2]  3x3 depthwise, batch norm, ReLU6
///     conv.2 conv.3      1x1, batch norm   (+ x where the shapes are alike)
///
/// Paper: arXiv 1801.04381.

#include "engine/models/families.hpp"

namespace pd {

namespace {

/// Blocks alike but for the first one's stride; table 2 of the paper.
struct block_group {
  std::int64_t expansion, channels, blocks, stride;
};

constexpr block_group groups[]{{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                               {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                               {6, 320, 1, 1}};

class mobilenet_builder {
public:
  explicit mobilenet_builder(const model_options& options)
    : options_{options}, net_{"mobilenet_v2"} {}

  result<graph> build() {
    auto x = add_features(add_image(net_, options_));
    x = net_.flatten("flatten", net_.global_avg_pool("avgpool", x));
    {
      const auto block = net_.within("classifier");
      x = net_.dropout("0", x, options_.dropout.value_or(0.2));
      x = net_.linear("1", x, options_.classes, {"normal"});
    }
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  int convolution(const std::string& name, int x, conv2d_settings with) {
    with.bias = false;
    with.init = {"kaiming_fan_out"};
    return net_.conv2d(name, x, with);
  }

  /// Convolution, batch norm, ReLU6: torchvision's Conv2dNormActivation.
  int add_layer(const std::string& name, int x, const conv2d_settings& with) {
    const auto layer = net_.within(name);
    x = net_.batch_norm("1", convolution("0", x, with));
    return net_.relu6("2", x);
  }

  /// features.0 ... features.18.
  int add_features(int x) {
    const auto block = net_.within("features");
    x = add_layer("0", x,
                  {.out_channels = 32, .kernel = 3, .stride = 2, .padding = 1});
    std::int64_t channels = 32;
    int number = 1;
    for (const auto& group : groups)
      for (std::int64_t i = 0; i < group.blocks; ++i) {
        auto own = group;
        own.stride = i == 0 ? group.stride : 1;
        const auto scope = net_.within(std::to_string(number++));
        x = add_block(x, channels, own);
        channels = group.channels;
      }
    return add_layer(std::to_string(number), x, {.out_channels = 1280});
  }

  /// inputs: channels of x.
  int add_block(int x, std::int64_t inputs, const block_group& with) {
    const int narrow = add_branch(x, inputs, with);
    const bool is_alike = with.stride == 1 && inputs == with.channels;
    return is_alike ? net_.sum("add", narrow, x) : narrow;
  }

  int add_branch(int x, std::int64_t inputs, const block_group& with) {
    const auto branch = net_.within("conv");
    const auto wide = inputs * with.expansion;
    int number = 0;
    if (with.expansion > 1)
      x = add_layer(std::to_string(number++), x, {.out_channels = wide});
    x = add_layer(std::to_string(number++), x,
                  {.out_channels = wide,
                   .kernel = 3,
                   .stride = with.stride,
                   .padding = 1,
                   .groups = wide});
    x =
      convolution(std::to_string(number++), x, {.out_channels = with.channels});
    return net_.batch_norm(std::to_string(number), x);
  }

  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_mobilenet_v2(const model_options& options) {
  return mobilenet_builder{options}.build();
}

} // namespace pd
