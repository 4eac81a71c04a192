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

/// [height, width]; one number stands for both.
struct height_width {
  std::int64_t height, width;

  // NOLINTNEXTLINE(google-explicit-constructor): most are squares
  height_width(std::int64_t both) : height{both}, width{both} {}
  height_width(std::int64_t h, std::int64_t w) : height{h}, width{w} {}

  bool operator==(const height_width&) const = default;
};

/// How the weights of a node start (ops/weight_start.hpp has the rules).
struct weight_init {
  std::string rule = "torch_default";
  double std = 0.01;     ///< of "normal"
  std::string bias = ""; ///< empty: as the rule has it
};

struct conv2d_settings {
  std::int64_t out_channels = 1;
  height_width kernel = 1;
  height_width stride = 1;
  height_width padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  weight_init init = {};
};

struct batch_norm_settings {
  double eps = 1e-5;
  double momentum = 0.1;
};

struct local_response_norm_settings {
  std::int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1;
};

struct pool_settings {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;
  bool ceil_mode = false;
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
  int batch_norm(const std::string& name, int x,
                 const batch_norm_settings& with = {});
  int local_response_norm(const std::string& name, int x,
                          const local_response_norm_settings& with);
  int relu(const std::string& name, int x);
  int relu6(const std::string& name, int x);
  int sum(const std::string& name, int x, int y);
  /// Along the channels.
  int concat(const std::string& name, std::vector<int> parts);
  int max_pool(const std::string& name, int x, const pool_settings& with);
  int avg_pool(const std::string& name, int x, const pool_settings& with);
  int global_avg_pool(const std::string& name, int x);
  int adaptive_avg_pool(const std::string& name, int x, std::int64_t output);
  int flatten(const std::string& name, int x);
  int dropout(const std::string& name, int x, double p);
  int linear(const std::string& name, int x, std::int64_t out_features,
             const weight_init& init = {});

  /// The node "labels"; it is made when it is first asked for.
  int labels();

  /// A loss of an auxiliary head, which counts so much. Name it "loss" within
  /// the head.
  int auxiliary_loss(const std::string& name, int logits, double weight,
                     double label_smoothing = 0);

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
