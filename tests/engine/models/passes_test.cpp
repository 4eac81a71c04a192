#include "engine/graph/cut.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/models/models.hpp"
#include "ops/register.hpp"
#include "tests/engine/graph/graph_text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

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

typed_graph typed(const graph& net) {
  auto made = infer(net, ops(), 2);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

stage_graph cut_out(const typed_graph& whole, int first, int last) {
  auto made = cut(whole, first, last);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

std::vector<std::string> parameter_names(const graph& net) {
  const auto made = typed(net);
  std::vector<std::string> names;
  for (int i = 0; i < static_cast<int>(net.nodes.size()); ++i)
    for (const auto& each : made.parameters(i))
      names.push_back(each.suffix + " " + to_string(each.extents));
  std::ranges::sort(names);
  return names;
}

} // namespace

TEST_CASE("fusing keeps every model's parameters, shapes and loss, and is "
          "done at once",
          "[models][fuse]") {
  for (const auto* name : {"mlp", "lenet", "alexnet", "vgg11", "vgg11_bn",
                           "resnet18", "resnet50", "resnext50_32x4d"}) {
    INFO(name);
    const auto net = build_model(
      name, {.classes = 10, .height = 64, .width = 64, .dropout = 0});
    REQUIRE(net);
    const auto once = fuse(place_inputs(*net));
    CHECK(once.net.validate());
    CHECK(parameter_names(once.net) == parameter_names(*net));
    CHECK(once.net.nodes.back().name == "loss");
    CHECK(once.index_of.back() == static_cast<int>(once.net.nodes.size()) - 1);
    const auto twice = fuse(place_inputs(once.net));
    CHECK(to_lines(twice.net) == to_lines(once.net));
    for (const auto& each : once.net.nodes)
      CHECK(each.op != "relu");
  }
}

TEST_CASE("a residual network has no add left", "[models][fuse]") {
  const auto net = build_model("resnet50", {});
  REQUIRE(net);
  const auto fused = fuse(*net).net;
  for (const auto& each : fused.nodes)
    CHECK(each.op != "add");
  const auto end = *fused.find("layer1.0.bn3");
  CHECK(to_text(fused, fused.nodes[static_cast<std::size_t>(end)])
        == "layer1.0.bn3 = batch_norm(layer1.0.conv3, layer1.0.downsample.1) "
           "relu=true");
}

TEST_CASE("wherever a network is cut, its stages have its parameters, shapes "
          "and edges",
          "[models][cut]") {
  for (const auto* name : {"lenet", "resnet18"}) {
    const auto whole = typed(*build_model(name, {.height = 64, .width = 64}));
    const auto nodes = static_cast<int>(whole.net.nodes.size());
    for (int at = 1; at < nodes; ++at) {
      INFO(name << " cut before " << whole.net.nodes[std::size_t(at)].name);
      const stage_graph stages[]{cut_out(whole, 0, at),
                                 cut_out(whole, at, nodes)};
      std::map<std::string, shape> shapes;
      for (const auto& each : stages) {
        const auto part = typed(fuse(place_inputs(each.net)).net);
        const auto plain = typed(each.net);
        for (std::size_t i = 0; i < plain.shapes.size(); ++i)
          shapes.emplace(plain.net.nodes[i].name, plain.shapes[i]);
      }
      for (std::size_t i = 0; i < whole.shapes.size(); ++i)
        CHECK(shapes[whole.net.nodes[i].name] == whole.shapes[i]);
      REQUIRE(stages[0].outputs.size() == stages[1].inputs.size());
      for (std::size_t i = 0; i < stages[0].outputs.size(); ++i)
        CHECK(stages[0].index_of[std::size_t(stages[1].inputs[i].producer)]
              == stages[0].outputs[i]);
    }
  }
}
