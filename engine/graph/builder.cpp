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
                      {"kernel", with.kernel}};
  set_unless(settings, "stride", with.stride, usual.stride);
  set_unless(settings, "padding", with.padding, usual.padding);
  set_unless(settings, "groups", with.groups, usual.groups);
  set_unless(settings, "bias", with.bias, usual.bias);
  set_unless(settings, "init", with.init, usual.init);
  return add(name, "conv2d", {x}, std::move(settings));
}

int graph_builder::batch_norm(const std::string& name, int x) {
  return add(name, "batch_norm", {x});
}

int graph_builder::relu(const std::string& name, int x) {
  return add(name, "relu", {x});
}

int graph_builder::sum(const std::string& name, int x, int y) {
  return add(name, "add", {x, y});
}

int graph_builder::max_pool(const std::string& name, int x,
                            const pool_settings& with) {
  attributes settings{{"kernel", with.kernel}, {"stride", with.stride}};
  set_unless(settings, "padding", with.padding, std::int64_t{0});
  return add(name, "max_pool", {x}, std::move(settings));
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
                          std::int64_t out_features, const std::string& init) {
  attributes settings{{"out_features", out_features}};
  set_unless(settings, "init", init, std::string{"torch_default"});
  return add(name, "linear", {x}, std::move(settings));
}

int graph_builder::loss(int logits, double label_smoothing) {
  const int labels = add("labels", "labels", {});
  attributes settings;
  set_unless(settings, "label_smoothing", label_smoothing, 0.0);
  return add("loss", "softmax_loss", {logits, labels}, std::move(settings));
}

result<graph> graph_builder::finish() {
  auto made = std::exchange(net_, {});
  PD_CHECK(made.validate());
  return made;
}

} // namespace pd
