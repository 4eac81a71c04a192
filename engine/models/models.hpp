/// The networks that are built in. Names of parameters, their shapes and how
/// they start are torchvision's, so its weights load.

#pragma once

#include "engine/graph/graph.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pd {

/// What a network is built for.
struct model_options {
  std::int64_t classes = 1000;
  std::int64_t height = 224;
  std::int64_t width = 224;
  std::int64_t channels = 3;
  double label_smoothing = 0;
  /// The share of every dropout layer; by default each model's own.
  std::optional<double> dropout = std::nullopt;
  bool has_auxiliary_heads = true; ///< of googlenet and inception_v3
};

/// The network from the node "input" to the node "loss", a softmax_loss over
/// the logits and the node "labels".
///
/// Errors: unknown_name with the nearest model; bad_value. An image that is
/// too small for the network is infer's to refuse.
[[nodiscard]] result<graph> build_model(const std::string& name,
                                        const model_options& options);

/// One line about a model.
struct model_info {
  std::string name;
  std::string description;     ///< with the parameters, for people
  std::int64_t parameters = 0; ///< trainable elements at `usual`
  model_options usual;         ///< what it was made for
};

[[nodiscard]] std::vector<model_info> model_names();

/// True if a model of this name has dropout layers.
[[nodiscard]] bool has_dropout(const std::string& name);

} // namespace pd
