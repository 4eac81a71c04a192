/// The AlexNet of the paper in one column, as on one device: wider than
/// torchvision's, with local response norms, which the paper has and the later
/// one has not. Sizes, places and the constants of the norms are the paper's;
/// weights start as PyTorch's layers do. Parameters count as in torchvision's
/// alexnet: features.0 ... classifier.6.
///
/// Paper: Krizhevsky et al., "ImageNet classification with deep convolutional
/// neural networks" (NIPS 2012), section 3.

#include "engine/models/families.hpp"

namespace pd {

namespace {

/// The paper's alpha is 1e-4; local_response_norm divides its own by the size.
int norm(graph_builder& net, const std::string& name, int x) {
  return net.local_response_norm(
    name, x, {.size = 5, .alpha = 5e-4, .beta = 0.75, .k = 2});
}

int add_features(graph_builder& net, int x) {
  const auto block = net.within("features");
  const pool_settings pooling{.kernel = 3, .stride = 2};
  x = net.conv2d("0", x,
                 {.out_channels = 96, .kernel = 11, .stride = 4, .padding = 2});
  x = net.max_pool("3", norm(net, "2", net.relu("1", x)), pooling);
  x = net.conv2d("4", x, {.out_channels = 256, .kernel = 5, .padding = 2});
  x = net.max_pool("7", norm(net, "6", net.relu("5", x)), pooling);
  x = net.conv2d("8", x, {.out_channels = 384, .kernel = 3, .padding = 1});
  x = net.relu("9", x);
  x = net.conv2d("10", x, {.out_channels = 384, .kernel = 3, .padding = 1});
  x = net.relu("11", x);
  x = net.conv2d("12", x, {.out_channels = 256, .kernel = 3, .padding = 1});
  return net.max_pool("14", net.relu("13", x), pooling);
}

} // namespace

result<graph> build_alexnet_lrn(const model_options& options) {
  graph_builder net{"alexnet_lrn"};
  const auto x = add_features(net, add_image(net, options));
  return finish_alexnet(net, x, options);
}

} // namespace pd
