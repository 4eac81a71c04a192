#include "engine/models/models.hpp"

#include "engine/graph/infer.hpp"
#include "ops/register.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace pd;

namespace {

const registry& ops() {
  static const registry all = [] {
    registry made;
    register_ops(made);
    return made;
  }();
  return all;
}

graph build(const std::string& name, const model_options& options) {
  auto made = build_model(name, options);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

typed_graph typed(const std::string& name, const model_options& options) {
  auto made = infer(build(name, options), ops(), 2);
  if (!made)
    FAIL(name << ": " << made.failure().message);
  return *std::move(made);
}

std::vector<parameter> parameters(const typed_graph& of) {
  std::vector<parameter> all;
  for (int i = 0; i < static_cast<int>(of.net.nodes.size()); ++i)
    for (auto& each : of.parameters(i))
      all.push_back(std::move(each));
  return all;
}

std::int64_t trainable_elems(const typed_graph& of) {
  std::int64_t sum = 0;
  for (const auto& each : parameters(of))
    sum += each.is_trainable ? each.extents.elems() : 0;
  return sum;
}

/// tests/golden/models/<name>.txt, made by tests/golden/make_models.py
std::ifstream golden(const std::string& name) {
  std::ifstream from{PD_SOURCE_DIR "/tests/golden/models/" + name + ".txt"};
  REQUIRE(from.is_open());
  return from;
}

std::vector<std::string> lines_of(const std::string& name) {
  auto from = golden(name);
  std::vector<std::string> all;
  for (std::string line; std::getline(from, line);)
    all.push_back(line);
  return all;
}

shape shape_of(const typed_graph& of, const std::string& node) {
  const auto index = of.net.find(node);
  if (!index)
    FAIL(index.failure().message);
  return of.shapes[static_cast<std::size_t>(*index)];
}

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (const auto each : values)
    sum += double{each};
  return sum / static_cast<double>(values.size());
}

double deviation_of(const std::vector<float>& values, double mean) {
  double sum = 0;
  for (const auto each : values)
    sum += (double{each} - mean) * (double{each} - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

} // namespace

TEST_CASE("every model has torchvision's state_dict: names, types, shapes, "
          "in its order",
          "[models]") {
  for (const auto& model : model_names()) {
    INFO(model.name);
    auto wanted = lines_of(model.name);
    std::vector<std::string> got;
    for (const auto& each : parameters(typed(model.name, model.usual)))
      got.push_back(each.suffix + " " + to_string(each.type) + " "
                    + to_string(each.extents));
    // PyTorch lists what a model has itself before what its modules have.
    std::ranges::stable_partition(got, [](const std::string& line) {
      return line.starts_with("class_token ");
    });
    if (model.name == "googlenet") { // its heads stand where they branch off
      std::ranges::sort(wanted);
      std::ranges::sort(got);
    }
    CHECK(got == wanted);
  }
}

TEST_CASE("a model has as many parameters as its line says", "[models]") {
  const auto all = model_names();
  CHECK(all.size() == 33);
  for (const auto& model : all)
    CHECK(trainable_elems(typed(model.name, model.usual)) == model.parameters);
  CHECK(all[0].description
        == "two hidden layers of 512; 669.7 k parameters at 28x28x1, 10 "
           "classes");
}

TEST_CASE("parameters start as torchvision's do", "[models]") {
  auto from = golden("initial");
  std::map<std::string, parameter> rules;
  std::string model;
  std::string built;
  std::string name;
  for (double mean = 0, deviation = 0;
       from >> model >> name >> mean >> deviation;) {
    INFO(model << " " << name);
    if (model != built) {
      rules.clear();
      for (const auto& each : model_names())
        if (each.name == model)
          for (auto& rule : parameters(typed(model, each.usual)))
            rules.emplace(rule.suffix, std::move(rule));
      built = model;
    }
    REQUIRE(rules.contains(name));
    const auto& rule = rules.at(name);
    const auto elems = std::min<std::int64_t>(rule.extents.elems(), 100000);
    std::vector<float> values(static_cast<std::size_t>(elems));
    rule.initial.fill(1, name, values);
    const double got = mean_of(values);
    const double samples = static_cast<double>(elems);
    CHECK(got == Approx(mean).margin(8 * deviation / std::sqrt(samples)));
    CHECK(deviation_of(values, got) == Approx(deviation).epsilon(0.06));
  }
  CHECK(built == "mnasnet1_0");
}

TEST_CASE("every model ends in a loss over logits and labels", "[models]") {
  for (const auto& model : model_names()) {
    auto options = model.usual;
    options.classes = 7;
    const auto made = typed(model.name, options);
    options.label_smoothing = 0.1;
    const auto net = build(model.name, options);
    const auto& loss = net.nodes.back();
    CHECK(loss.name == "loss");
    CHECK(loss.op == "softmax_loss");
    CHECK(std::get<double>(loss.settings.at("label_smoothing")) == 0.1);
    REQUIRE(loss.inputs.size() == 2);
    CHECK(made.shapes[static_cast<std::size_t>(loss.inputs[0])] == shape{2, 7});
    CHECK(net.nodes[static_cast<std::size_t>(loss.inputs[1])].name == "labels");
    CHECK(*net.find("input") == 0);
    CHECK(net.name == model.name);
  }
}

TEST_CASE("models take one channel and images that are not square",
          "[models]") {
  for (const auto& model : model_names()) {
    INFO(model.name);
    const auto made = typed(model.name, {.classes = 10,
                                         .height = 96,
                                         .width = 128,
                                         .channels = 1,
                                         .has_auxiliary_heads = false});
    CHECK(shape_of(made, "input") == shape{2, 1, 96, 128});
  }
  const auto small = typed(
    "resnet18", {.classes = 10, .height = 28, .width = 28, .channels = 1});
  CHECK(parameters(small)[0].extents == shape{64, 1, 7, 7});
  CHECK(shape_of(small, "layer1.1.relu") == shape{2, 64, 7, 7});
  CHECK(shape_of(small, "layer4.1.relu") == shape{2, 512, 1, 1});
  CHECK(shape_of(small, "fc") == shape{2, 10});
}

TEST_CASE("the usual sizes inside a network are those of the papers",
          "[models]") {
  const auto resnet = typed("resnet50", {});
  CHECK(shape_of(resnet, "maxpool") == shape{2, 64, 56, 56});
  CHECK(shape_of(resnet, "layer2.3.relu") == shape{2, 512, 28, 28});
  CHECK(shape_of(resnet, "layer4.2.relu") == shape{2, 2048, 7, 7});
  const auto alexnet = typed("alexnet", {});
  CHECK(shape_of(alexnet, "features.12") == shape{2, 256, 6, 6});
  const auto densenet = typed("densenet121", {});
  CHECK(shape_of(densenet, "features.denseblock3.denselayer24.cat")
        == shape{2, 1024, 14, 14});
  const auto inception = typed("inception_v3", {.height = 299, .width = 299});
  CHECK(shape_of(inception, "Mixed_6e.cat") == shape{2, 768, 17, 17});
  CHECK(shape_of(inception, "AuxLogits.conv1.relu") == shape{2, 768, 1, 1});
  CHECK(shape_of(inception, "Mixed_7c.cat") == shape{2, 2048, 8, 8});
  const auto lenet =
    typed("lenet", {.classes = 10, .height = 28, .width = 28, .channels = 1});
  CHECK(shape_of(lenet, "flatten") == shape{2, 400});
  const auto vit = typed("vit_b_16", {});
  CHECK(shape_of(vit, "conv_proj") == shape{2, 768, 14, 14});
  CHECK(shape_of(vit, "class_token") == shape{2, 197, 768});
  CHECK(shape_of(vit, "encoder.layers.encoder_layer_0.self_attention.in_proj")
        == shape{2, 197, 2304});
  CHECK(shape_of(vit, "encoder.layers.encoder_layer_11.mlp.1")
        == shape{2, 197, 3072});
  CHECK(shape_of(vit, "token") == shape{2, 768});
}

TEST_CASE("a vision transformer refuses an image that is not whole patches",
          "[models]") {
  const auto refused = build_model("vit_b_16", {.height = 32, .width = 40});
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::bad_value);
  CHECK(refused.failure().message
        == "model 'vit_b_16': width = 40, wanted a multiple of 16, a patch's");
  CHECK(build_model("vit_b_16", {.height = 32, .width = 48}));
  CHECK(!build_model("vit_b_32", {.height = 32, .width = 48}));
}

TEST_CASE("an image that is too small is refused by the node that it does not "
          "fit",
          "[models]") {
  struct small_image {
    const char* model;
    std::int64_t least;
    const char* node;
  };
  // ResNet takes any image, and AlexNet's least is torchvision's.
  const small_image cases[]{{"alexnet", 63, "features.12"},
                            {"vgg11", 32, "features.20"},
                            {"vgg16_bn", 32, "features.43"},
                            {"lenet", 12, "pool2"},
                            {"squeezenet1_0", 21, "features.11"},
                            {"squeezenet1_1", 17, "features.8"},
                            {"densenet121", 29, "features.transition3.pool"},
                            {"googlenet", 15, "maxpool3"},
                            {"inception_v3", 299, "AuxLogits.conv1.conv"}};
  for (const auto& [model, least, node] : cases) {
    INFO(model);
    const auto size = [&](std::int64_t pixels) {
      return model_options{.height = pixels, .width = pixels};
    };
    CHECK(infer(build(model, size(least)), ops(), 1));
    const auto refused = infer(build(model, size(least - 1)), ops(), 1);
    REQUIRE(!refused);
    CHECK(refused.failure().code == errc::bad_shape);
    INFO(refused.failure().message);
    CHECK(refused.failure().message.starts_with("node '" + std::string{node}
                                                + "': "));
  }
  CHECK(infer(build("resnet18", {.height = 1, .width = 1}), ops(), 1));
}

TEST_CASE("a model that is not there is told with the nearest one",
          "[models]") {
  const auto unknown = build_model("resnet5O", {});
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "no model 'resnet5O' (did you mean 'resnet50'?)");
}

TEST_CASE("a model of no classes or no pixels is refused", "[models]") {
  const auto refused = build_model("lenet", {.classes = 0});
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::bad_value);
  CHECK(refused.failure().message
        == "model 'lenet': classes = 0, wanted at least 1");
  CHECK(!build_model("lenet", {.height = 0}));
  CHECK(!build_model("lenet", {.width = -1}));
  CHECK(!build_model("lenet", {.channels = 0}));
}

TEST_CASE("a block of a model ends where torchvision's module does",
          "[models]") {
  const auto ends = [](const graph& net, const std::string& block) {
    const auto last = net.last_of_block(block);
    if (!last)
      FAIL(last.failure().message);
    return net.nodes[static_cast<std::size_t>(*last)].name;
  };
  const auto resnet = build("resnet50", {});
  CHECK(ends(resnet, "layer2") == "layer2.3.relu");
  CHECK(ends(resnet, "layer2.0") == "layer2.0.relu");
  CHECK(ends(resnet, "fc") == "fc");
  const auto vgg = build("vgg16_bn", {});
  CHECK(ends(vgg, "features") == "features.43");
  CHECK(ends(vgg, "classifier") == "classifier.6");
  CHECK(ends(build("alexnet", {}), "features") == "features.12");
  const auto vit = build("vit_b_16", {});
  CHECK(ends(vit, "encoder") == "encoder.ln");
  CHECK(ends(vit, "encoder.layers.encoder_layer_5")
        == "encoder.layers.encoder_layer_5.add_2");
  CHECK(ends(vit, "encoder.layers.encoder_layer_5.mlp")
        == "encoder.layers.encoder_layer_5.mlp.4");
}

TEST_CASE("a block's nodes stand together, and nothing of it comes later",
          "[models]") {
  for (const auto& model : model_names()) {
    const auto net = build(model.name, {});
    std::vector<std::string> seen;
    for (const auto& each : net.nodes) {
      if (each.op == "labels") // before the first loss
        continue;
      const auto block = each.name.substr(0, each.name.find('.'));
      if (!seen.empty() && seen.back() == block)
        continue;
      INFO(model.name << " " << each.name);
      CHECK(std::ranges::find(seen, block) == seen.end());
      seen.push_back(block);
    }
  }
}

TEST_CASE(
  "auxiliary heads are torchvision's, count as it says, and may be left "
  "out",
  "[models]") {
  const auto heads = [](const graph& net) {
    std::map<std::string, double> found;
    for (const auto& each : net.nodes)
      if (is_auxiliary_loss(each))
        found[each.name] = std::get<double>(each.settings.at("weight"));
    return found;
  };
  using weights = std::map<std::string, double>;
  CHECK(heads(build("googlenet", {}))
        == weights{{"aux1.loss", 0.3}, {"aux2.loss", 0.3}});
  CHECK(heads(build("inception_v3", {})) == weights{{"AuxLogits.loss", 0.4}});
  for (const auto* name : {"googlenet", "inception_v3"}) {
    const model_options without{
      .height = 75, .width = 75, .has_auxiliary_heads = false};
    CHECK(heads(build(name, without)).empty());
    auto wanted = lines_of(name);
    std::erase_if(wanted, [](const std::string& line) {
      return line.starts_with("aux") || line.starts_with("AuxLogits");
    });
    CHECK(parameters(typed(name, without)).size() == wanted.size());
  }
}

TEST_CASE("each model drops what torchvision's does unless told", "[models]") {
  const auto shares = [](const std::string& name) {
    std::set<double> found;
    for (const auto& each : build(name, {}).nodes)
      if (each.op == "dropout")
        found.insert(std::get<double>(each.settings.at("p")));
    return found;
  };
  using set = std::set<double>;
  for (const auto* half :
       {"alexnet", "vgg16", "squeezenet1_1", "inception_v3", "alexnet_lrn"})
    CHECK(shares(half) == set{0.5});
  CHECK(shares("mobilenet_v2") == set{0.2});
  CHECK(shares("mnasnet1_0") == set{0.2});
  CHECK(shares("googlenet") == set{0.2, 0.7});
  CHECK(shares("densenet121") == set{0});
}

TEST_CASE("norms have torchvision's eps and momentum", "[models]") {
  using numbers = std::set<std::pair<double, double>>;
  const auto numbers_of = [](const std::string& name) {
    numbers found;
    for (const auto& each : build(name, {}).nodes) {
      const auto number = [&](const char* key, double fallback) {
        const auto at = each.settings.find(key);
        return at == each.settings.end() ? fallback
                                         : std::get<double>(at->second);
      };
      if (each.op == "batch_norm" || each.op == "layer_norm")
        found.emplace(number("eps", 1e-5), number("momentum", 0.1));
    }
    return found;
  };
  for (const auto& model : model_names()) {
    INFO(model.name);
    const auto made = numbers_of(model.name);
    if (model.name.starts_with("mnasnet"))
      CHECK(made == numbers{{1e-5, 1 - 0.9997}});
    else if (model.name == "googlenet" || model.name == "inception_v3")
      CHECK(made == numbers{{1e-3, 0.1}});
    else if (model.name.starts_with("vit"))
      CHECK(made == numbers{{1e-6, 0.1}}); // which a layer norm has none of
    else if (!made.empty())
      CHECK(made == numbers{{1e-5, 0.1}});
  }
}

TEST_CASE("dropout is where torchvision has it", "[models]") {
  const auto dropouts = [](const std::string& name) {
    std::vector<std::string> found;
    for (const auto& each : build(name, {.dropout = 0.25}).nodes)
      if (each.op == "dropout") {
        CHECK(std::get<double>(each.settings.at("p")) == 0.25);
        found.push_back(each.name);
      }
    return found;
  };
  CHECK(dropouts("alexnet")
        == std::vector<std::string>{"classifier.0", "classifier.3"});
  CHECK(dropouts("vgg19")
        == std::vector<std::string>{"classifier.2", "classifier.5"});
  CHECK(dropouts("squeezenet1_0") == std::vector<std::string>{"classifier.0"});
  const auto of_vit = dropouts("vit_b_16");
  CHECK(of_vit.size() == 1 + 3 * 12);
  CHECK(of_vit[0] == "encoder.dropout");
  CHECK(of_vit[1] == "encoder.layers.encoder_layer_0.dropout");
  CHECK(of_vit[2] == "encoder.layers.encoder_layer_0.mlp.2");
  CHECK(of_vit[3] == "encoder.layers.encoder_layer_0.mlp.4");
  CHECK(dropouts("resnet18").empty());
  CHECK(dropouts("googlenet")
        == std::vector<std::string>{"aux1.dropout", "aux2.dropout", "dropout"});
  CHECK(dropouts("densenet121").size() == 58);
  CHECK(has_dropout("alexnet"));
  CHECK_FALSE(has_dropout("resnet18"));
  CHECK_FALSE(has_dropout("alexnot"));
}
