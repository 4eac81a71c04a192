#include "engine/models/models.hpp"

#include "engine/base/text.hpp"
#include "engine/models/families.hpp"

#include <algorithm>
#include <cstdio>
#include <variant>

namespace pd {

namespace {

using plain_builder = result<graph> (*)(const model_options&);

struct model_row {
  const char* name;
  const char* text;
  std::int64_t parameters; ///< at imagenet's sizes, or fashion_mnist's
  std::variant<plain_builder, vgg_kind, resnet_kind, squeezenet_kind, vit_kind,
               densenet_kind>
    kind;
};

const model_options imagenet{};
const model_options large_imagenet{.height = 299, .width = 299};
const model_options fashion_mnist{
  .classes = 10, .height = 28, .width = 28, .channels = 1};

const model_row rows[]{
  {"mlp", "two hidden layers of 512", 669'706, build_mlp},
  {"lenet", "LeNet-5 with ReLU and max pooling", 61'706, build_lenet},
  {"alexnet", "AlexNet", 61'100'840, build_alexnet},
  {"vgg11", "VGG-11", 132'863'336, vgg_kind{"vgg11", {1, 1, 2, 2, 2}, false}},
  {"vgg13", "VGG-13", 133'047'848, vgg_kind{"vgg13", {2, 2, 2, 2, 2}, false}},
  {"vgg16", "VGG-16", 138'357'544, vgg_kind{"vgg16", {2, 2, 3, 3, 3}, false}},
  {"vgg19", "VGG-19", 143'667'240, vgg_kind{"vgg19", {2, 2, 4, 4, 4}, false}},
  {"vgg11_bn", "VGG-11 with batch norm", 132'868'840,
   vgg_kind{"vgg11_bn", {1, 1, 2, 2, 2}, true}},
  {"vgg13_bn", "VGG-13 with batch norm", 133'053'736,
   vgg_kind{"vgg13_bn", {2, 2, 2, 2, 2}, true}},
  {"vgg16_bn", "VGG-16 with batch norm", 138'365'992,
   vgg_kind{"vgg16_bn", {2, 2, 3, 3, 3}, true}},
  {"vgg19_bn", "VGG-19 with batch norm", 143'678'248,
   vgg_kind{"vgg19_bn", {2, 2, 4, 4, 4}, true}},
  {"resnet18", "ResNet-18", 11'689'512,
   resnet_kind{"resnet18", {2, 2, 2, 2}, false}},
  {"resnet34", "ResNet-34", 21'797'672,
   resnet_kind{"resnet34", {3, 4, 6, 3}, false}},
  {"resnet50", "ResNet-50", 25'557'032,
   resnet_kind{"resnet50", {3, 4, 6, 3}, true}},
  {"resnet101", "ResNet-101", 44'549'160,
   resnet_kind{"resnet101", {3, 4, 23, 3}, true}},
  {"resnet152", "ResNet-152", 60'192'808,
   resnet_kind{"resnet152", {3, 8, 36, 3}, true}},
  {"resnext50_32x4d", "ResNeXt-50, 32 groups of 4", 25'028'904,
   resnet_kind{"resnext50_32x4d", {3, 4, 6, 3}, true, 32, 4}},
  {"resnext101_32x8d", "ResNeXt-101, 32 groups of 8", 88'791'336,
   resnet_kind{"resnext101_32x8d", {3, 4, 23, 3}, true, 32, 8}},
  {"squeezenet1_0", "SqueezeNet 1.0", 1'248'424,
   squeezenet_kind{"squeezenet1_0", true}},
  {"squeezenet1_1", "SqueezeNet 1.1", 1'235'496,
   squeezenet_kind{"squeezenet1_1", false}},
  {"vit_b_16", "ViT-B, patches of 16x16", 86'567'656, vit_kind{"vit_b_16"}},
  {"vit_b_32", "ViT-B, patches of 32x32", 88'224'232, vit_kind{"vit_b_32", 32}},
  {"vit_l_16", "ViT-L, patches of 16x16", 304'326'632,
   vit_kind{"vit_l_16", 16, 24, 16, 1024, 4096}},
  {"vit_l_32", "ViT-L, patches of 32x32", 306'535'400,
   vit_kind{"vit_l_32", 32, 24, 16, 1024, 4096}},
  {"densenet121", "DenseNet-121", 7'978'856,
   densenet_kind{"densenet121", 64, 32, {6, 12, 24, 16}}},
  {"densenet161", "DenseNet-161", 28'681'000,
   densenet_kind{"densenet161", 96, 48, {6, 12, 36, 24}}},
  {"densenet169", "DenseNet-169", 14'149'480,
   densenet_kind{"densenet169", 64, 32, {6, 12, 32, 32}}},
  {"densenet201", "DenseNet-201", 20'013'928,
   densenet_kind{"densenet201", 64, 32, {6, 12, 48, 32}}},
  {"googlenet", "GoogLeNet with two auxiliary heads", 13'004'888,
   build_googlenet},
  {"inception_v3", "Inception v3 with an auxiliary head", 27'161'264,
   build_inception_v3},
  {"mobilenet_v2", "MobileNetV2", 3'504'872, build_mobilenet_v2},
  {"mnasnet1_0", "MNASNet-B1 1.0", 4'383'312, build_mnasnet1_0},
  {"alexnet_lrn", "the paper's AlexNet in one column", 62'378'344,
   build_alexnet_lrn},
};

/// Builds any row's network.
struct row_builder {
  const model_options& options;

  result<graph> operator()(plain_builder build) const { return build(options); }
  result<graph> operator()(const vgg_kind& kind) const {
    return build_vgg(kind, options);
  }
  result<graph> operator()(const resnet_kind& kind) const {
    return build_resnet(kind, options);
  }
  result<graph> operator()(const densenet_kind& kind) const {
    return build_densenet(kind, options);
  }
  result<graph> operator()(const squeezenet_kind& kind) const {
    return build_squeezenet(kind, options);
  }
  result<graph> operator()(const vit_kind& kind) const {
    return build_vit(kind, options);
  }
};

const model_options& usual_options(const model_row& of) {
  const std::string name{of.name};
  if (name == "inception_v3")
    return large_imagenet;
  return name == "mlp" || name == "lenet" ? fashion_mnist : imagenet;
}

/// "61.7 k", "25.6 M".
std::string rounded_count(std::int64_t count) {
  const bool is_large = count >= 1'000'000;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s",
                static_cast<double>(count) / (is_large ? 1e6 : 1e3),
                is_large ? "M" : "k");
  return text;
}

std::string describe(const model_row& row) {
  const auto& at = usual_options(row);
  return std::string{row.text} + "; " + rounded_count(row.parameters)
         + " parameters at " + std::to_string(at.height) + "x"
         + std::to_string(at.width) + "x" + std::to_string(at.channels) + ", "
         + std::to_string(at.classes) + " classes";
}

result<void> check_extents(const std::string& name, const model_options& o) {
  const std::pair<const char*, std::int64_t> all[]{{"classes", o.classes},
                                                   {"height", o.height},
                                                   {"width", o.width},
                                                   {"channels", o.channels}};
  for (const auto& [what, value] : all)
    if (value < 1)
      return error{errc::bad_value, "model '" + name + "': " + what + " = "
                                      + std::to_string(value)
                                      + ", wanted at least 1"};
  return {};
}

} // namespace

std::vector<model_info> model_names() {
  std::vector<model_info> all;
  for (const auto& row : rows)
    all.push_back(
      {row.name, describe(row), row.parameters, usual_options(row)});
  return all;
}

result<graph> build_model(const std::string& name,
                          const model_options& options) {
  PD_CHECK(check_extents(name, options));
  std::vector<std::string> names;
  for (const auto& row : rows) {
    if (name == row.name)
      return std::visit(row_builder{options}, row.kind);
    names.emplace_back(row.name);
  }
  return error{errc::unknown_name,
               "no model '" + name + "'" + did_you_mean(name, names)};
}

bool has_dropout(const std::string& name) {
  const auto made = build_model(name, {});
  const auto is_it = [](const node& each) { return each.op == "dropout"; };
  return made && std::ranges::any_of(made->nodes, is_it);
}

} // namespace pd
