/// SqueezeNet as torchvision has it. A fire module, with its name in front:
///
///     squeeze 1x1, relu ── expand1x1, relu ── concat
///                       └─ expand3x3, relu ──┘
///
/// Version 1.1 pools earlier and begins with a smaller convolution.
/// Paper: arXiv 1602.07360.

#include "engine/models/families.hpp"

#include <span>

namespace pd {

namespace {

/// One entry of `features` behind the first convolution: a fire module of so
/// many squeezed and (twice) expanded channels, or a pooling.
struct feature {
  std::int64_t squeezed = 0; ///< 0: a pooling
  std::int64_t expanded = 0;
};

constexpr feature pooling{};
constexpr feature features_1_0[]{pooling,   {16, 64},  {16, 64},  {32, 128},
                                 pooling,   {32, 128}, {48, 192}, {48, 192},
                                 {64, 256}, pooling,   {64, 256}};
constexpr feature features_1_1[]{pooling,   {16, 64},  {16, 64}, pooling,
                                 {32, 128}, {32, 128}, pooling,  {48, 192},
                                 {48, 192}, {64, 256}, {64, 256}};

int convolution(graph_builder& net, const std::string& name, int x,
                conv2d_settings with) {
  with.init = {"kaiming_uniform"};
  return net.conv2d(name, x, with);
}

int add_fire(graph_builder& net, int x, const feature& with) {
  const auto convolve = [&](const std::string& name, int from,
                            const conv2d_settings& as) {
    return net.relu(name + "_activation", convolution(net, name, from, as));
  };
  x = convolve("squeeze", x, {.out_channels = with.squeezed});
  const int small = convolve("expand1x1", x, {.out_channels = with.expanded});
  const int large = convolve(
    "expand3x3", x, {.out_channels = with.expanded, .kernel = 3, .padding = 1});
  return net.concat("cat", {small, large});
}

/// features.0 ... features.12: numbers count every layer, as in torchvision.
int add_features(graph_builder& net, int x, const squeezenet_kind& kind) {
  const auto block = net.within("features");
  const conv2d_settings first =
    kind.is_first_version
      ? conv2d_settings{.out_channels = 96, .kernel = 7, .stride = 2}
      : conv2d_settings{.out_channels = 64, .kernel = 3, .stride = 2};
  x = net.relu("1", convolution(net, "0", x, first));
  int number = 2;
  const std::span<const feature> rest =
    kind.is_first_version ? features_1_0 : features_1_1;
  for (const auto& each : rest) {
    const auto name = std::to_string(number++);
    if (each.squeezed == 0) {
      x = net.max_pool(name, x, {.kernel = 3, .stride = 2, .ceil_mode = true});
      continue;
    }
    const auto fire = net.within(name);
    x = add_fire(net, x, each);
  }
  return x;
}

int add_classifier(graph_builder& net, int x, const model_options& options) {
  const auto block = net.within("classifier");
  x = net.dropout("0", x, options.dropout.value_or(0.5));
  x = net.conv2d("1", x, {.out_channels = options.classes, .init = {"normal"}});
  return net.global_avg_pool("3", net.relu("2", x));
}

} // namespace

result<graph> build_squeezenet(const squeezenet_kind& kind,
                               const model_options& options) {
  graph_builder net{kind.name};
  auto x = add_features(net, add_image(net, options), kind);
  x = add_classifier(net, x, options);
  net.loss(net.flatten("flatten", x), options.label_smoothing);
  return net.finish();
}

} // namespace pd
