/// LeNet-5 with today's parts: ReLU for tanh, max pooling for the trained
/// subsampling, full connections and a softmax.
///
///     conv1 6@5x5 pad 2, relu1, pool1 2   28 -> 28 -> 14
///     conv2 16@5x5, relu2, pool2 2           -> 10 -> 5
///     flatten  fc1 120 relu3  fc2 84 relu4  fc3
///
/// Paper: LeCun et al., "Gradient-based learning applied to document
/// recognition", Proc. IEEE 86 (1998).

#include "engine/models/families.hpp"

namespace pd {

result<graph> build_lenet(const model_options& options) {
  graph_builder net{"lenet"};
  auto x = add_image(net, options);
  x = net.conv2d("conv1", x, {.out_channels = 6, .kernel = 5, .padding = 2});
  x = net.max_pool("pool1", net.relu("relu1", x), {});
  x = net.conv2d("conv2", x, {.out_channels = 16, .kernel = 5});
  x = net.max_pool("pool2", net.relu("relu2", x), {});
  x = net.flatten("flatten", x);
  x = net.relu("relu3", net.linear("fc1", x, 120));
  x = net.relu("relu4", net.linear("fc2", x, 84));
  net.loss(net.linear("fc3", x, options.classes), options.label_smoothing);
  return net.finish();
}

} // namespace pd
