/// Two hidden layers of 512:
///
///     flatten  fc1 relu1  fc2 relu2  fc3

#include "engine/models/families.hpp"

namespace pd {

result<graph> build_mlp(const model_options& options) {
  graph_builder net{"mlp"};
  auto x = net.flatten("flatten", add_image(net, options));
  x = net.relu("relu1", net.linear("fc1", x, 512));
  x = net.relu("relu2", net.linear("fc2", x, 512));
  net.loss(net.linear("fc3", x, options.classes), options.label_smoothing);
  return net.finish();
}

} // namespace pd
