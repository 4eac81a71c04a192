/// ResNet and ResNeXt as torchvision has them: the stride of a bottleneck is
/// in its 3x3 convolution. A block is, with its name in front of each name,
///
///     conv1 bn1 relu1  conv2 bn2 [relu2  conv3 bn3]  (+ x or downsample)  relu
///
/// Papers: arXiv 1512.03385, arXiv 1611.05431.

#include "engine/models/families.hpp"

namespace pd {

namespace {

/// One block's numbers.
struct block_settings {
  std::int64_t planes = 64; ///< channels of layer1 .. layer4, unexpanded
  std::int64_t stride = 1;
  bool has_downsample = false;
};

class resnet_builder {
public:
  resnet_builder(const resnet_kind& kind, const model_options& options)
    : kind_{kind}, options_{options}, net_{kind.name} {}

  result<graph> build() {
    auto x = add_stem(add_image(net_, options_));
    for (int i = 0; i < 4; ++i)
      x = add_layer(x, i);
    x = net_.flatten("flatten", net_.global_avg_pool("avgpool", x));
    net_.loss(net_.linear("fc", x, options_.classes), options_.label_smoothing);
    return net_.finish();
  }

private:
  int convolution(const std::string& name, int x, conv2d_settings with) {
    with.bias = false;
    with.init.rule = "kaiming_fan_out";
    return net_.conv2d(name, x, with);
  }

  int add_stem(int x) {
    x = convolution(
      "conv1", x, {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});
    x = net_.relu("relu", net_.batch_norm("bn1", x));
    return net_.max_pool("maxpool", x,
                         {.kernel = 3, .stride = 2, .padding = 1});
  }

  /// layer1 ... layer4; index counts from 0.
  int add_layer(int x, int index) {
    const auto layer = net_.within("layer" + std::to_string(index + 1));
    const auto planes = std::int64_t{64} << index;
    const auto blocks = kind_.blocks[static_cast<std::size_t>(index)];
    for (int i = 0; i < blocks; ++i) {
      const auto block = net_.within(std::to_string(i));
      const bool is_first = i == 0;
      x = add_block(
        x, {.planes = planes,
            .stride = is_first && index > 0 ? 2 : 1,
            .has_downsample = is_first && (index > 0 || kind_.is_bottleneck)});
    }
    return x;
  }

  int add_block(int x, const block_settings& with) {
    const int main =
      kind_.is_bottleneck ? add_bottleneck(x, with) : add_basic(x, with);
    const int other = with.has_downsample ? add_downsample(x, with) : x;
    return net_.relu("relu", net_.sum("add", main, other));
  }

  int add_basic(int x, const block_settings& with) {
    x = convolution("conv1", x,
                    {.out_channels = with.planes,
                     .kernel = 3,
                     .stride = with.stride,
                     .padding = 1});
    x = net_.relu("relu1", net_.batch_norm("bn1", x));
    x = convolution("conv2", x,
                    {.out_channels = with.planes, .kernel = 3, .padding = 1});
    return net_.batch_norm("bn2", x);
  }

  int add_bottleneck(int x, const block_settings& with) {
    const auto width = with.planes * kind_.group_width / 64 * kind_.groups;
    x = convolution("conv1", x, {.out_channels = width});
    x = net_.relu("relu1", net_.batch_norm("bn1", x));
    x = convolution("conv2", x,
                    {.out_channels = width,
                     .kernel = 3,
                     .stride = with.stride,
                     .padding = 1,
                     .groups = kind_.groups});
    x = net_.relu("relu2", net_.batch_norm("bn2", x));
    x = convolution("conv3", x, {.out_channels = 4 * with.planes});
    return net_.batch_norm("bn3", x);
  }

  int add_downsample(int x, const block_settings& with) {
    const auto block = net_.within("downsample");
    const auto planes = with.planes * (kind_.is_bottleneck ? 4 : 1);
    x = convolution("0", x, {.out_channels = planes, .stride = with.stride});
    return net_.batch_norm("1", x);
  }

  const resnet_kind& kind_;
  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_resnet(const resnet_kind& kind,
                           const model_options& options) {
  return resnet_builder{kind, options}.build();
}

} // namespace pd
