#include "engine/graph/cut.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/models/models.hpp"
#include "ops/register.hpp"
#include "tests/engine/graph/graph_text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pd;

namespace {

std::size_t index(int of) {
  return static_cast<std::size_t>(of);
}

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

/// Holds each value that `part` still has, by index_of, to its shape in whole.
void check_shapes(const typed_graph& whole, const graph& part,
                  const std::vector<int>& index_of) {
  const auto made = typed(part);
  auto found = whole.shapes;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (index_of[i] >= 0)
      found[i] = made.shapes[index(index_of[i])];
  CHECK(found == whole.shapes);
}

/// The same, as cut and after the passes.
void check_shapes(const typed_graph& whole, const stage_graph& part) {
  check_shapes(whole, part.net, part.index_of);
  const auto passed = fuse(rewritten{part.net, part.index_of});
  check_shapes(whole, passed.net, passed.index_of);
  const auto placed = fuse(place_inputs(part.net));
  check_shapes(typed(part.net), placed.net, placed.index_of);
}

/// Cuts in two: every node is in a stage, and what one gives the other takes.
void check_cut(const typed_graph& whole, int at) {
  INFO(whole.net.name << " cut before " << whole.net.nodes[index(at)].name);
  const auto nodes = static_cast<int>(whole.net.nodes.size());
  const auto first = cut_out(whole, 0, at);
  const auto second = cut_out(whole, at, nodes);
  for (int i = 0; i < nodes; ++i)
    CHECK((i < at ? first : second).index_of[index(i)] >= 0);
  check_shapes(whole, first);
  check_shapes(whole, second);
  REQUIRE(first.outputs.size() == second.inputs.size());
  for (std::size_t i = 0; i < first.outputs.size(); ++i)
    CHECK(first.index_of[index(second.inputs[i].producer)] == first.outputs[i]);
}

} // namespace

TEST_CASE("fusing keeps every model's parameters, shapes and loss, and is "
          "done at once",
          "[models][fuse]") {
  for (const auto* name :
       {"mlp", "lenet", "alexnet", "vgg11", "vgg11_bn", "resnet18", "resnet50",
        "resnext50_32x4d", "squeezenet1_1", "densenet121", "googlenet",
        "mobilenet_v2", "mnasnet1_0", "alexnet_lrn"}) {
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
  CHECK(to_text(fused, fused.nodes[index(end)])
        == "layer1.0.bn3 = batch_norm(layer1.0.conv3, layer1.0.downsample.1) "
           "relu=true");
}

TEST_CASE("wherever a network is cut, its stages have its shapes and edges",
          "[models][cut]") {
  for (const auto* name : {"lenet", "resnet18"}) {
    const auto whole = typed(*build_model(name, {.height = 64, .width = 64}));
    for (int at = 1; at < static_cast<int>(whole.net.nodes.size()); ++at)
      check_cut(whole, at);
  }
}
