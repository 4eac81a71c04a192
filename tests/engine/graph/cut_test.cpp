#include "engine/graph/cut.hpp"

#include "engine/graph/builder.hpp"
#include "ops/register.hpp"
#include "tests/engine/graph/graph_text.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

using lines = std::vector<std::string>;

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

/// 0 input, 1 conv, 2 relu, 3 sum = relu + conv, 4 flatten, 5 fc, 6 labels,
/// 7 loss
typed_graph small_net() {
  graph_builder net{"small"};
  const auto c = net.conv2d("conv", net.input({3, 4, 4}), {.out_channels = 8});
  const auto s = net.sum("sum", net.relu("relu", c), c);
  net.loss(net.linear("fc", net.flatten("flatten", s), 10));
  return typed(*net.finish());
}

stage_graph cut_out(const typed_graph& whole, int first, int last) {
  auto made = cut(whole, first, last);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

} // namespace

TEST_CASE("the first stage has the loader's input and gives what is taken",
          "[graph][cut]") {
  const auto stage = cut_out(small_net(), 0, 3);
  CHECK(to_lines(stage.net)
        == lines{"input = input() extents=[3, 4, 4]",
                 "conv = conv2d(input) kernel=1 out_channels=8",
                 "relu = relu(conv)"});
  CHECK(stage.inputs.empty());
  CHECK(stage.outputs == std::vector<int>{1, 2});
  CHECK(stage.index_of == std::vector<int>{0, 1, 2, -1, -1, -1, -1, -1});
}

TEST_CASE("values from before become placeholders with their extents",
          "[graph][cut]") {
  const auto stage = cut_out(small_net(), 3, 5);
  CHECK(to_lines(stage.net)
        == lines{"conv = input() activation=true extents=[8, 4, 4]",
                 "relu = input() activation=true extents=[8, 4, 4]",
                 "sum = add(relu, conv)", "flatten = flatten(sum)"});
  CHECK(stage.inputs == std::vector<edge>{{1, 0}, {2, 1}});
  CHECK(stage.outputs == std::vector<int>{3});
  CHECK(stage.index_of == std::vector<int>{-1, 0, 1, 2, 3, -1, -1, -1});
}

TEST_CASE("the last stage has the labels and no outputs", "[graph][cut]") {
  const auto stage = cut_out(small_net(), 5, 8);
  CHECK(to_lines(stage.net)
        == lines{"flatten = input() activation=true extents=[128]",
                 "fc = linear(flatten) out_features=10", "labels = labels()",
                 "loss = softmax_loss(fc, labels)"});
  CHECK(stage.inputs == std::vector<edge>{{4, 0}});
  CHECK(stage.outputs.empty());
}

TEST_CASE("what a loader makes is loaded where it is taken, and never sent",
          "[graph][cut]") {
  const auto whole = small_net();
  const auto first = cut_out(whole, 0, 1);
  CHECK(first.outputs.empty());
  const auto second = cut_out(whole, 1, 7); // labels, but not the loss
  CHECK(second.outputs == std::vector<int>{*second.net.find("fc")});
  const auto last = cut_out(whole, 7, 8);
  CHECK(to_lines(last.net)
        == lines{"fc = input() activation=true extents=[10]",
                 "labels = labels()", "loss = softmax_loss(fc, labels)"});
  CHECK(last.inputs == std::vector<edge>{{5, 0}});
  CHECK(to_lines(second.net)[0] == "input = input() extents=[3, 4, 4]");
}

TEST_CASE("a value that skips a stage goes from its maker to its taker",
          "[graph][cut]") {
  const auto whole = small_net();
  const auto middle = cut_out(whole, 2, 3); // relu; conv passes by
  CHECK(middle.inputs == std::vector<edge>{{1, 0}});
  CHECK(middle.outputs == std::vector<int>{1});
  const auto last = cut_out(whole, 3, 8);
  CHECK(last.inputs == std::vector<edge>{{1, 0}, {2, 1}});
}

TEST_CASE("a stage that is cut again keeps its placeholders' origin",
          "[graph][cut]") {
  const auto stage = typed(cut_out(small_net(), 1, 8).net);
  const auto again = cut_out(stage, 2, 4); // relu and sum
  for (const auto& each : again.inputs)
    CHECK(again.net.nodes[static_cast<std::size_t>(each.placeholder)].name
          == stage.net.nodes[static_cast<std::size_t>(each.producer)].name);
}

TEST_CASE("a cut that is none is refused", "[graph][cut]") {
  const auto whole = small_net();
  for (const auto& [first, last] : {std::pair{-1, 3}, {3, 3}, {4, 3}, {0, 9}}) {
    const auto refused = cut(whole, first, last);
    REQUIRE(!refused);
    CHECK(refused.failure().code == errc::bad_value);
  }
  CHECK(cut(whole, 4, 3).failure().message
        == "small: cannot cut out nodes 4 to 3 (exclusive) of 8");
}

TEST_CASE("a value without extents cannot go to another stage",
          "[graph][cut]") {
  graph_builder net{"odd"};
  net.loss(net.input({4}));
  net.add("again", "identity", {2});
  const auto whole = infer(*net.finish(), ops(), 2);
  if (!whole)
    return; // the op refuses a loss as input before the cut does
  const auto refused = cut(*whole, 3, 4);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::bad_shape);
  CHECK(refused.failure().message.starts_with("node 'loss': a value "));
}
