/// Writes a network node by node; the models and the tests use it.
///
///     graph_builder net{"tiny"};
///     auto x = net.input({1, 28, 28});
///     {
///       const auto block = net.within("layer1");
///       x = net.conv2d("conv1", x, {.out_channels = 8, .kernel = 3});
///       x = net.relu("relu", x); // named "layer1.relu"
///     }
///     net.loss(net.linear("fc", net.flatten("flatten", x), 10));
///     return net.finish();
///
/// A value is the index of the node that makes it. Settings that are an op's
/// default are left out, so a printed network shows what is its own.

#pragma once

#include "engine/graph/graph.hpp"

#include <string>
#include <vector>

namespace pd {

/// Squares, as every model here has them.
struct conv2d_settings {
  std::int64_t out_channels = 1;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  std::string init = "torch_default";
};

struct pool_settings {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;
};

class graph_builder {
public:
  explicit graph_builder(std::string name) { net_.name = std::move(name); }

  /// While it lives, names of nodes begin with "<name>.". Scopes nest.
  class [[nodiscard]] scope {
  public:
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { prefix_.resize(size_); }

  private:
    friend class graph_builder;
    scope(std::string& prefix, const std::string& name)
      : prefix_{prefix}, size_{prefix.size()} {
      prefix_ += name + ".";
    }
    std::string& prefix_;
    std::size_t size_;
  };
  scope within(const std::string& name) { return {prefix_, name}; }

  /// Any op. What all others call.
  int add(const std::string& name, const std::string& op,
          std::vector<int> inputs, attributes settings = {});

  /// An image [C, H, W] or a row [F] from the loader, named "input".
  int input(std::vector<std::int64_t> extents);

  int conv2d(const std::string& name, int x, const conv2d_settings& with);
  int batch_norm(const std::string& name, int x);
  int relu(const std::string& name, int x);
  int sum(const std::string& name, int x, int y);
  int max_pool(const std::string& name, int x, const pool_settings& with);
  int global_avg_pool(const std::string& name, int x);
  int adaptive_avg_pool(const std::string& name, int x, std::int64_t output);
  int flatten(const std::string& name, int x);
  int dropout(const std::string& name, int x, double p);
  int linear(const std::string& name, int x, std::int64_t out_features,
             const std::string& init = "torch_default");

  /// The nodes "labels" and "loss" over the logits. The end of a network.
  int loss(int logits, double label_smoothing = 0);

  /// The network. @post the builder is empty
  /// Errors: as graph::validate.
  [[nodiscard]] result<graph> finish();

private:
  graph net_;
  std::string prefix_;
};

} // namespace pd
