/// GoogLeNet as torchvision has it: with batch norm, and 3x3 convolutions in
/// the branch that the paper gives 5x5. A module, with its name in front:
///
///     branch1            1x1
///     branch2.0 .1       1x1, 3x3
///     branch3.0 .1       1x1, 3x3
///     branch4.0 .1       3x3 max pooling, 1x1         all concatenated
///
/// Two auxiliary heads, behind inception4a and 4d, count 0.3 each.
/// Paper: arXiv 1409.4842.

#include "engine/models/families.hpp"

namespace pd {

namespace {

constexpr double head_weight = 0.3;

/// Channels of a module's branches; `before` those of a 1x1 in front.
struct module_widths {
  const char* name;
  std::int64_t branch1, before2, branch2, before3, branch3, branch4;
};

constexpr module_widths modules[]{{"inception3a", 64, 96, 128, 16, 32, 32},
                                  {"inception3b", 128, 128, 192, 32, 96, 64},
                                  {"inception4a", 192, 96, 208, 16, 48, 64},
                                  {"inception4b", 160, 112, 224, 24, 64, 64},
                                  {"inception4c", 128, 128, 256, 24, 64, 64},
                                  {"inception4d", 112, 144, 288, 32, 64, 64},
                                  {"inception4e", 256, 160, 320, 32, 128, 128},
                                  {"inception5a", 256, 160, 320, 32, 128, 128},
                                  {"inception5b", 384, 192, 384, 48, 128, 128}};

class googlenet_builder {
public:
  explicit googlenet_builder(const model_options& options)
    : options_{options}, net_{"googlenet"} {}

  result<graph> build() {
    auto x = add_stem(add_image(net_, options_));
    for (const auto& each : modules) {
      x = add_module(x, each);
      x = add_what_follows(x, each.name);
    }
    x = net_.flatten("flatten", net_.global_avg_pool("avgpool", x));
    x = net_.dropout("dropout", x, options_.dropout.value_or(0.2));
    x = linear("fc", x, options_.classes);
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  /// torchvision cuts the normal off at two, which is 200 deviations.
  static weight_init normal() {
    return {.rule = "normal", .std = 0.01, .bias = "torch_default"};
  }

  int linear(const std::string& name, int x, std::int64_t features) {
    return net_.linear(name, x, features, normal());
  }

  /// Convolution, batch norm, ReLU: torchvision's BasicConv2d.
  int add_layer(const std::string& name, int x, conv2d_settings with) {
    const auto layer = net_.within(name);
    with.bias = false;
    with.init = {.rule = "normal", .std = 0.01};
    x = net_.batch_norm("bn", net_.conv2d("conv", x, with), {.eps = 0.001});
    return net_.relu("relu", x);
  }

  int pooling(const std::string& name, int x, std::int64_t kernel) {
    return net_.max_pool(name, x,
                         {.kernel = kernel, .stride = 2, .ceil_mode = true});
  }

  int add_stem(int x) {
    x = add_layer("conv1", x,
                  {.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3});
    x = add_layer("conv2", pooling("maxpool1", x, 3), {.out_channels = 64});
    x = add_layer("conv3", x, {.out_channels = 192, .kernel = 3, .padding = 1});
    return pooling("maxpool2", x, 3);
  }

  int add_pair(const std::string& name, int x, std::int64_t before,
               std::int64_t width) {
    const auto branch = net_.within(name);
    x = add_layer("0", x, {.out_channels = before});
    return add_layer("1", x,
                     {.out_channels = width, .kernel = 3, .padding = 1});
  }

  int add_pooled(const std::string& name, int x, std::int64_t width) {
    const auto branch = net_.within(name);
    x = net_.max_pool(
      "0", x, {.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true});
    return add_layer("1", x, {.out_channels = width});
  }

  int add_module(int x, const module_widths& with) {
    const auto block = net_.within(with.name);
    const int one = add_layer("branch1", x, {.out_channels = with.branch1});
    const int two = add_pair("branch2", x, with.before2, with.branch2);
    const int three = add_pair("branch3", x, with.before3, with.branch3);
    const int four = add_pooled("branch4", x, with.branch4);
    return net_.concat("cat", {one, two, three, four});
  }

  /// A pooling or a head.
  int add_what_follows(int x, const std::string& module) {
    if (module == "inception3b")
      return pooling("maxpool3", x, 3);
    if (module == "inception4e")
      return pooling("maxpool4", x, 2);
    if (options_.has_auxiliary_heads && module == "inception4a")
      add_head("aux1", x);
    if (options_.has_auxiliary_heads && module == "inception4d")
      add_head("aux2", x);
    return x;
  }

  void add_head(const std::string& name, int x) {
    const auto head = net_.within(name);
    x = net_.adaptive_avg_pool("pool", x, 4);
    x = add_layer("conv", x, {.out_channels = 128});
    x = net_.flatten("flatten", x);
    x = net_.relu("relu", linear("fc1", x, 1024));
    x = net_.dropout("dropout", x, options_.dropout.value_or(0.7));
    x = linear("fc2", x, options_.classes);
    net_.auxiliary_loss("loss", x, head_weight, options_.label_smoothing);
  }

  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_googlenet(const model_options& options) {
  return googlenet_builder{options}.build();
}

} // namespace pd
