/// The builders, one a file: mlp.cpp, lenet.cpp, alexnet.cpp, vgg.cpp,
/// resnet.cpp, squeezenet.cpp, vit.cpp ... For models.cpp only.

#pragma once

#include "engine/graph/builder.hpp"
#include "engine/models/models.hpp"

#include <array>

namespace pd {

/// The node "input" for the options' images.
inline int add_image(graph_builder& to, const model_options& options) {
  return to.input({options.channels, options.height, options.width});
}

[[nodiscard]] result<graph> build_mlp(const model_options& options);
[[nodiscard]] result<graph> build_lenet(const model_options& options);
[[nodiscard]] result<graph> build_alexnet(const model_options& options);
/// What both AlexNets end in: the classifier behind the features `x`, the loss.
[[nodiscard]] result<graph> finish_alexnet(graph_builder& net, int x,
                                           const model_options& options);
[[nodiscard]] result<graph> build_alexnet_lrn(const model_options& options);
[[nodiscard]] result<graph> build_mobilenet_v2(const model_options& options);
[[nodiscard]] result<graph> build_mnasnet1_0(const model_options& options);
[[nodiscard]] result<graph> build_googlenet(const model_options& options);
[[nodiscard]] result<graph> build_inception_v3(const model_options& options);

struct vgg_kind {
  const char* name = "";
  std::array<int, 5> convolutions{}; ///< before each of the five poolings
  bool has_norms = false;
};
[[nodiscard]] result<graph> build_vgg(const vgg_kind& kind,
                                      const model_options& options);

struct resnet_kind {
  const char* name = "";
  std::array<int, 4> blocks{}; ///< of layer1 ... layer4
  bool is_bottleneck = false;
  std::int64_t groups = 1;
  std::int64_t group_width = 64; ///< channels of a group in layer1
};
[[nodiscard]] result<graph> build_resnet(const resnet_kind& kind,
                                         const model_options& options);

struct densenet_kind {
  const char* name = "";
  std::int64_t first_channels = 64;
  std::int64_t growth = 32;
  std::array<int, 4> layers{}; ///< of denseblock1 ... denseblock4
};
[[nodiscard]] result<graph> build_densenet(const densenet_kind& kind,
                                           const model_options& options);

struct squeezenet_kind {
  const char* name = "";
  bool is_first_version = false; ///< 1.0, else 1.1
};
[[nodiscard]] result<graph> build_squeezenet(const squeezenet_kind& kind,
                                             const model_options& options);

struct vit_kind {
  const char* name = "";
  std::int64_t patch = 16; ///< pixels, both ways
  int layers = 12;
  std::int64_t heads = 12;
  std::int64_t features = 768; ///< of a token
  std::int64_t mlp_features = 3072;
};
[[nodiscard]] result<graph> build_vit(const vit_kind& kind,
                                      const model_options& options);

} // namespace pd
