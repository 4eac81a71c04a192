/// AlexNet as torchvision has it. Paper: arXiv 1404.5997.

#include "engine/models/families.hpp"

namespace pd {

namespace {

/// features.0 ... features.12: numbers count every layer, as in torchvision.
int add_features(graph_builder& net, int x) {
  const auto block = net.within("features");
  const pool_settings pooling{.kernel = 3, .stride = 2};
  x = net.conv2d("0", x,
                 {.out_channels = 64, .kernel = 11, .stride = 4, .padding = 2});
  x = net.max_pool("2", net.relu("1", x), pooling);
  x = net.conv2d("3", x, {.out_channels = 192, .kernel = 5, .padding = 2});
  x = net.max_pool("5", net.relu("4", x), pooling);
  x = net.conv2d("6", x, {.out_channels = 384, .kernel = 3, .padding = 1});
  x = net.relu("7", x);
  x = net.conv2d("8", x, {.out_channels = 256, .kernel = 3, .padding = 1});
  x = net.relu("9", x);
  x = net.conv2d("10", x, {.out_channels = 256, .kernel = 3, .padding = 1});
  return net.max_pool("12", net.relu("11", x), pooling);
}

int add_classifier(graph_builder& net, int x, const model_options& options) {
  const auto block = net.within("classifier");
  const auto share = options.dropout.value_or(0.5);
  x = net.dropout("0", x, share);
  x = net.relu("2", net.linear("1", x, 4096));
  x = net.dropout("3", x, share);
  x = net.relu("5", net.linear("4", x, 4096));
  return net.linear("6", x, options.classes);
}

} // namespace

result<graph> finish_alexnet(graph_builder& net, int x,
                             const model_options& options) {
  x = net.adaptive_avg_pool("avgpool", x, 6);
  x = net.flatten("flatten", x);
  x = add_classifier(net, x, options);
  net.loss(x, options.label_smoothing);
  return net.finish();
}

result<graph> build_alexnet(const model_options& options) {
  graph_builder net{"alexnet"};
  const auto x = add_features(net, add_image(net, options));
  return finish_alexnet(net, x, options);
}

} // namespace pd
