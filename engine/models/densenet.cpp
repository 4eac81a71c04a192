/// DenseNet-BC as torchvision has it. Every layer adds channels to all that
/// came before it in its block:
///
///     x ─┬─ norm1 relu1 conv1 1x1  norm2 relu2 conv2 3x3 (dropout) ─┐
///        └────────────────────────────────────────────────────── concat
///
/// The concatenations are a chain: each takes the one before it and the new
/// channels. So a backward adds two gradients up for each channel of it, and
/// not one for each layer behind.
///
/// Paper: arXiv 1608.06993.

#include "engine/models/families.hpp"

namespace pd {

namespace {

class densenet_builder {
public:
  densenet_builder(const densenet_kind& kind, const model_options& options)
    : kind_{kind}, options_{options}, net_{kind.name} {}

  result<graph> build() {
    auto x = add_features(add_image(net_, options_));
    x = net_.flatten("flatten",
                     net_.global_avg_pool("avgpool", net_.relu("relu", x)));
    x = net_.linear("classifier", x, options_.classes, {.bias = "zero"});
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  int convolution(const std::string& name, int x, conv2d_settings with) {
    with.bias = false;
    with.init = {"kaiming_fan_in"};
    return net_.conv2d(name, x, with);
  }

  /// Batch norm and ReLU, then what follows.
  int norm_relu(const std::string& number, int x) {
    return net_.relu("relu" + number, net_.batch_norm("norm" + number, x));
  }

  int add_features(int x) {
    const auto block = net_.within("features");
    std::int64_t channels = kind_.first_channels;
    x = convolution(
      "conv0", x,
      {.out_channels = channels, .kernel = 7, .stride = 2, .padding = 3});
    x = net_.max_pool("pool0", norm_relu("0", x),
                      {.kernel = 3, .stride = 2, .padding = 1});
    for (int i = 1; i <= 4; ++i) {
      const auto layers = kind_.layers[static_cast<std::size_t>(i - 1)];
      x = add_block("denseblock" + std::to_string(i), x, layers);
      channels += layers * kind_.growth;
      if (i == 4)
        break;
      channels /= 2;
      x = add_transition("transition" + std::to_string(i), x, channels);
    }
    return net_.batch_norm("norm5", x);
  }

  int add_block(const std::string& name, int x, int layers) {
    const auto block = net_.within(name);
    for (int i = 1; i <= layers; ++i) {
      const auto layer = net_.within("denselayer" + std::to_string(i));
      x = net_.concat("cat", {x, add_new_channels(x)});
    }
    return x;
  }

  int add_new_channels(int x) {
    x = convolution("conv1", norm_relu("1", x),
                    {.out_channels = 4 * kind_.growth});
    x = convolution("conv2", norm_relu("2", x),
                    {.out_channels = kind_.growth, .kernel = 3, .padding = 1});
    return net_.dropout("dropout", x, options_.dropout.value_or(0));
  }

  int add_transition(const std::string& name, int x, std::int64_t channels) {
    const auto block = net_.within(name);
    x = net_.relu("relu", net_.batch_norm("norm", x));
    x = convolution("conv", x, {.out_channels = channels});
    return net_.avg_pool("pool", x, {});
  }

  const densenet_kind& kind_;
  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_densenet(const densenet_kind& kind,
                             const model_options& options) {
  return densenet_builder{kind, options}.build();
}

} // namespace pd
