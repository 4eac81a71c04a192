#include "engine/graph/builder.hpp"

#include <utility>

namespace pd {

namespace {

/// Sets what is not the op's default.
template <class T>
void set_unless(attributes& to, const char* name, const T& value,
                const T& fallback) {
  if (value != fallback)
    to.emplace(name, value);
}

attribute to_attribute(const height_width& from) {
  if (from.height == from.width)
    return from.height;
  return std::vector{from.height, from.width};
}

void set_unless(attributes& to, const char* name, const height_width& value,
                const height_width& fallback) {
  if (value != fallback)
    to.emplace(name, to_attribute(value));
}

void set_init(attributes& to, const weight_init& with) {
  const weight_init usual;
  set_unless(to, "init", with.rule, usual.rule);
  set_unless(to, "init_std", with.std, usual.std);
  set_unless(to, "bias_init", with.bias, usual.bias);
}

attributes pool_attributes(const pool_settings& with) {
  attributes settings{{"kernel", with.kernel}, {"stride", with.stride}};
  set_unless(settings, "padding", with.padding, std::int64_t{0});
  set_unless(settings, "ceil_mode", with.ceil_mode, false);
  return settings;
}

} // namespace

int graph_builder::add(const std::string& name, const std::string& op,
                       std::vector<int> inputs, attributes settings) {
  net_.nodes.push_back(
    {prefix_ + name, op, std::move(settings), std::move(inputs)});
  return static_cast<int>(net_.nodes.size()) - 1;
}

int graph_builder::input(std::vector<std::int64_t> extents) {
  return add("input", "input", {}, {{"extents", std::move(extents)}});
}

int graph_builder::conv2d(const std::string& name, int x,
                          const conv2d_settings& with) {
  const conv2d_settings usual;
  attributes settings{{"out_channels", with.out_channels},
                      {"kernel", to_attribute(with.kernel)}};
  set_unless(settings, "stride", with.stride, usual.stride);
  set_unless(settings, "padding", with.padding, usual.padding);
  set_unless(settings, "groups", with.groups, usual.groups);
  set_unless(settings, "bias", with.bias, usual.bias);
  set_init(settings, with.init);
  return add(name, "conv2d", {x}, std::move(settings));
}

int graph_builder::batch_norm(const std::string& name, int x,
                              const batch_norm_settings& with) {
  const batch_norm_settings usual;
  attributes settings;
  set_unless(settings, "eps", with.eps, usual.eps);
  set_unless(settings, "momentum", with.momentum, usual.momentum);
  return add(name, "batch_norm", {x}, std::move(settings));
}

int graph_builder::local_response_norm(
  const std::string& name, int x, const local_response_norm_settings& with) {
  return add(name, "local_response_norm", {x},
             {{"size", with.size},
              {"alpha", with.alpha},
              {"beta", with.beta},
              {"k", with.k}});
}

int graph_builder::relu(const std::string& name, int x) {
  return add(name, "relu", {x});
}

int graph_builder::relu6(const std::string& name, int x) {
  return add(name, "relu6", {x});
}

int graph_builder::sum(const std::string& name, int x, int y) {
  return add(name, "add", {x, y});
}

int graph_builder::max_pool(const std::string& name, int x,
                            const pool_settings& with) {
  return add(name, "max_pool", {x}, pool_attributes(with));
}

int graph_builder::avg_pool(const std::string& name, int x,
                            const pool_settings& with) {
  return add(name, "avg_pool", {x}, pool_attributes(with));
}

int graph_builder::concat(const std::string& name, std::vector<int> parts) {
  return add(name, "concat", std::move(parts));
}

int graph_builder::global_avg_pool(const std::string& name, int x) {
  return add(name, "global_avg_pool", {x});
}

int graph_builder::adaptive_avg_pool(const std::string& name, int x,
                                     std::int64_t output) {
  return add(name, "adaptive_avg_pool", {x}, {{"output", output}});
}

int graph_builder::flatten(const std::string& name, int x) {
  return add(name, "flatten", {x});
}

int graph_builder::dropout(const std::string& name, int x, double p) {
  return add(name, "dropout", {x}, {{"p", p}});
}

int graph_builder::linear(const std::string& name, int x,
                          std::int64_t out_features, const weight_init& init) {
  attributes settings{{"out_features", out_features}};
  set_init(settings, init);
  return add(name, "linear", {x}, std::move(settings));
}

int graph_builder::labels() {
  for (std::size_t i = 0; i < net_.nodes.size(); ++i)
    if (net_.nodes[i].op == "labels")
      return static_cast<int>(i);
  net_.nodes.push_back({"labels", "labels", {}, {}});
  return static_cast<int>(net_.nodes.size()) - 1;
}

int graph_builder::auxiliary_loss(const std::string& name, int logits,
                                  double weight, double label_smoothing) {
  attributes settings{{"auxiliary", true}, {"weight", weight}};
  set_unless(settings, "label_smoothing", label_smoothing, 0.0);
  const int truth = labels();
  return add(name, "softmax_loss", {logits, truth}, std::move(settings));
}

int graph_builder::loss(int logits, double label_smoothing) {
  attributes settings;
  set_unless(settings, "label_smoothing", label_smoothing, 0.0);
  const int truth = labels();
  return add("loss", "softmax_loss", {logits, truth}, std::move(settings));
}

result<graph> graph_builder::finish() {
  auto made = std::exchange(net_, {});
  PD_CHECK(made.validate());
  return made;
}

} // namespace pd
