/// VGG as torchvision has it: 3x3 convolutions, doubled in width after each
/// pooling up to 512. Paper: arXiv 1409.1556.

#include "engine/models/families.hpp"

#include <algorithm>

namespace pd {

namespace {

/// features.0, features.1 ...: numbers count every layer, as in torchvision.
class feature_layers {
public:
  feature_layers(graph_builder& net, bool has_norms)
    : net_{net}, has_norms_{has_norms} {}

  int convolution(int x, std::int64_t width) {
    x = net_.conv2d(next(), x,
                    {.out_channels = width,
                     .kernel = 3,
                     .padding = 1,
                     .init = {"kaiming_fan_out"}});
    if (has_norms_)
      x = net_.batch_norm(next(), x);
    return net_.relu(next(), x);
  }

  int pooling(int x) { return net_.max_pool(next(), x, {}); }

private:
  std::string next() { return std::to_string(count_++); }

  graph_builder& net_;
  bool has_norms_;
  int count_ = 0;
};

int add_features(graph_builder& net, int x, const vgg_kind& kind) {
  const auto block = net.within("features");
  feature_layers layers{net, kind.has_norms};
  std::int64_t width = 64;
  for (const int convolutions : kind.convolutions) {
    for (int i = 0; i < convolutions; ++i)
      x = layers.convolution(x, width);
    x = layers.pooling(x);
    width = std::min<std::int64_t>(2 * width, 512);
  }
  return x;
}

int add_classifier(graph_builder& net, int x, const model_options& options) {
  const auto block = net.within("classifier");
  const auto share = options.dropout.value_or(0.5);
  x = net.relu("1", net.linear("0", x, 4096, {"normal"}));
  x = net.dropout("2", x, share);
  x = net.relu("4", net.linear("3", x, 4096, {"normal"}));
  x = net.dropout("5", x, share);
  return net.linear("6", x, options.classes, {"normal"});
}

} // namespace

result<graph> build_vgg(const vgg_kind& kind, const model_options& options) {
  graph_builder net{kind.name};
  auto x = add_features(net, add_image(net, options), kind);
  x = net.adaptive_avg_pool("avgpool", x, 7);
  x = net.flatten("flatten", x);
  x = add_classifier(net, x, options);
  net.loss(x, options.label_smoothing);
  return net.finish();
}

} // namespace pd
