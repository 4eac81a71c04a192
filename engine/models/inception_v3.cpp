/// Inception v3 as torchvision has it. Its modules concatenate branches; those
/// of one grid size are alike:
///
///     Mixed_5b 5c 5d      branch1x1, branch5x5, branch3x3dbl, branch_pool
///     Mixed_6a            branch3x3, branch3x3dbl, max pooling   (halves)
///     Mixed_6b 6c 6d 6e   branch1x1, branch7x7, branch7x7dbl, branch_pool
///     Mixed_7a            branch3x3, branch7x7x3, max pooling    (halves)
///     Mixed_7b 7c         branch1x1, branch3x3 and branch3x3dbl, whose ends
///                         fork, branch_pool
///
/// An n x n convolution is done as 1 x n and n x 1. One auxiliary head, behind
/// Mixed_6e, counts 0.4.
/// Paper: arXiv 1512.00567.

#include "engine/models/families.hpp"

namespace pd {

namespace {

constexpr double head_weight = 0.4;

/// One convolution of a branch.
struct layer {
  const char* name;
  std::int64_t channels;
  height_width kernel = 1;
  height_width padding = 0;
  std::int64_t stride = 1;
};

const height_width across{1, 7}; // kernels ...
const height_width down{7, 1};
const height_width pad_across{0, 3}; // ... and what keeps the size
const height_width pad_down{3, 0};

class inception_builder {
public:
  explicit inception_builder(const model_options& options)
    : options_{options}, net_{"inception_v3"} {}

  result<graph> build() {
    auto x = add_stem(add_image(net_, options_));
    x = add_modules(x);
    x = net_.global_avg_pool("avgpool", x);
    x = net_.dropout("dropout", x, options_.dropout.value_or(0.5));
    x = net_.linear("fc", net_.flatten("flatten", x), options_.classes,
                    normal(0.1));
    net_.loss(x, options_.label_smoothing);
    return net_.finish();
  }

private:
  /// torchvision cuts the normal off at two, which is 20 deviations.
  static weight_init normal(double std) {
    return {.rule = "normal", .std = std, .bias = "torch_default"};
  }

  /// Convolution, batch norm, ReLU: torchvision's BasicConv2d.
  int add_layer(int x, const layer& with) {
    const auto scope = net_.within(with.name);
    x = net_.conv2d("conv", x,
                    {.out_channels = with.channels,
                     .kernel = with.kernel,
                     .stride = with.stride,
                     .padding = with.padding,
                     .bias = false,
                     .init = {.rule = "normal", .std = 0.1}});
    return net_.relu("relu", net_.batch_norm("bn", x, {.eps = 0.001}));
  }

  int add_layers(int x, std::initializer_list<layer> all) {
    for (const auto& each : all)
      x = add_layer(x, each);
    return x;
  }

  int halving_pool(const std::string& name, int x) {
    return net_.max_pool(name, x, {.kernel = 3, .stride = 2});
  }

  int add_pooled(int x, std::int64_t channels) {
    x = net_.avg_pool("pool", x, {.kernel = 3, .stride = 1, .padding = 1});
    return add_layer(x, {"branch_pool", channels});
  }

  int add_stem(int x) {
    x = add_layers(x, {{"Conv2d_1a_3x3", 32, 3, 0, 2},
                       {"Conv2d_2a_3x3", 32, 3},
                       {"Conv2d_2b_3x3", 64, 3, 1}});
    x = add_layers(halving_pool("maxpool1", x),
                   {{"Conv2d_3b_1x1", 80}, {"Conv2d_4a_3x3", 192, 3}});
    return halving_pool("maxpool2", x);
  }

  int add_modules(int x) {
    x = add_module_5("Mixed_5b", x, 32);
    x = add_module_5("Mixed_5c", x, 64);
    x = add_module_5("Mixed_5d", x, 64);
    x = add_module_6a(x);
    x = add_module_6("Mixed_6b", x, 128);
    x = add_module_6("Mixed_6c", x, 160);
    x = add_module_6("Mixed_6d", x, 160);
    x = add_module_6("Mixed_6e", x, 192);
    if (options_.has_auxiliary_heads)
      add_head(x);
    x = add_module_7a(x);
    x = add_module_7("Mixed_7b", x);
    return add_module_7("Mixed_7c", x);
  }

  int add_module_5(const std::string& name, int x, std::int64_t pooled) {
    const auto block = net_.within(name);
    const int one = add_layer(x, {"branch1x1", 64});
    const int five =
      add_layers(x, {{"branch5x5_1", 48}, {"branch5x5_2", 64, 5, 2}});
    const int three = add_layers(x, {{"branch3x3dbl_1", 64},
                                     {"branch3x3dbl_2", 96, 3, 1},
                                     {"branch3x3dbl_3", 96, 3, 1}});
    return net_.concat("cat", {one, five, three, add_pooled(x, pooled)});
  }

  int add_module_6a(int x) {
    const auto block = net_.within("Mixed_6a");
    const int one = add_layer(x, {"branch3x3", 384, 3, 0, 2});
    const int two = add_layers(x, {{"branch3x3dbl_1", 64},
                                   {"branch3x3dbl_2", 96, 3, 1},
                                   {"branch3x3dbl_3", 96, 3, 0, 2}});
    return net_.concat("cat", {one, two, halving_pool("pool", x)});
  }

  int add_module_6(const std::string& name, int x, std::int64_t inner) {
    const auto block = net_.within(name);
    const int one = add_layer(x, {"branch1x1", 192});
    const int seven = add_layers(x, {{"branch7x7_1", inner},
                                     {"branch7x7_2", inner, across, pad_across},
                                     {"branch7x7_3", 192, down, pad_down}});
    const int twice =
      add_layers(x, {{"branch7x7dbl_1", inner},
                     {"branch7x7dbl_2", inner, down, pad_down},
                     {"branch7x7dbl_3", inner, across, pad_across},
                     {"branch7x7dbl_4", inner, down, pad_down},
                     {"branch7x7dbl_5", 192, across, pad_across}});
    return net_.concat("cat", {one, seven, twice, add_pooled(x, 192)});
  }

  int add_module_7a(int x) {
    const auto block = net_.within("Mixed_7a");
    const int three =
      add_layers(x, {{"branch3x3_1", 192}, {"branch3x3_2", 320, 3, 0, 2}});
    const int seven = add_layers(x, {{"branch7x7x3_1", 192},
                                     {"branch7x7x3_2", 192, across, pad_across},
                                     {"branch7x7x3_3", 192, down, pad_down},
                                     {"branch7x7x3_4", 192, 3, 0, 2}});
    return net_.concat("cat", {three, seven, halving_pool("pool", x)});
  }

  int add_module_7(const std::string& name, int x) {
    const auto block = net_.within(name);
    const int one = add_layer(x, {"branch1x1", 320});
    const int three = add_layer(x, {"branch3x3_1", 384});
    const int forked =
      add_fork("cat_3x3", three, "branch3x3_2a", "branch3x3_2b");
    const int twice =
      add_layers(x, {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, 3, 1}});
    const int forked_twice =
      add_fork("cat_3x3dbl", twice, "branch3x3dbl_3a", "branch3x3dbl_3b");
    return net_.concat("cat", {one, forked, forked_twice, add_pooled(x, 192)});
  }

  int add_fork(const std::string& name, int x, const char* across_name,
               const char* down_name) {
    const int left = add_layer(x, {across_name, 384, {1, 3}, {0, 1}});
    const int right = add_layer(x, {down_name, 384, {3, 1}, {1, 0}});
    return net_.concat(name, {left, right});
  }

  void add_head(int x) {
    const auto head = net_.within("AuxLogits");
    x = net_.avg_pool("pool", x, {.kernel = 5, .stride = 3});
    x = add_layers(x, {{"conv0", 128}, {"conv1", 768, 5}});
    x = net_.flatten("flatten", net_.global_avg_pool("avgpool", x));
    x = net_.linear("fc", x, options_.classes, normal(0.001));
    net_.auxiliary_loss("loss", x, head_weight, options_.label_smoothing);
  }

  const model_options& options_;
  graph_builder net_;
};

} // namespace

result<graph> build_inception_v3(const model_options& options) {
  return inception_builder{options}.build();
}

} // namespace pd
