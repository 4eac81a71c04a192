#include "engine/graph/graph.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

graph two_blocks() {
  return {"net",
          {{"input", "input", {}, {}},
           {"layer1.0.conv1", "conv2d", {}, {0}},
           {"layer1.1.conv1", "conv2d", {}, {1}},
           {"layer10.conv", "conv2d", {}, {2}},
           {"layer1.1.add", "add", {}, {1, 2}},
           {"fc", "linear", {}, {4}}}};
}

std::string refusal(const graph& of) {
  const auto checked = of.validate();
  REQUIRE(!checked);
  CHECK(checked.failure().code == errc::bad_value);
  return checked.failure().message;
}

} // namespace

TEST_CASE("a node is found by name, or the nearest one is told",
          "[graph][graph]") {
  CHECK(*two_blocks().find("fc") == 5);
  const auto unknown = two_blocks().find("layer1.0.conv2");
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "net: no node 'layer1.0.conv2' (did you mean 'layer1.0.conv1'?)");
}

TEST_CASE("each use of a value is one consumer", "[graph][graph]") {
  auto net = two_blocks();
  net.nodes.push_back({"twice", "add", {}, {5, 5}});
  const auto takers = net.consumers();
  CHECK(takers[1] == std::vector<int>{2, 4});
  CHECK(takers[3].empty());
  CHECK(takers[5] == std::vector<int>{6, 6});
}

TEST_CASE("a block ends with the last node of its name", "[graph][graph]") {
  const auto net = two_blocks();
  CHECK(*net.last_of_block("layer1") == 4);
  CHECK(*net.last_of_block("layer1.0") == 1);
  CHECK(*net.last_of_block("layer1.1.conv1") == 2);
  CHECK(*net.last_of_block("layer10") == 3);
  const auto unknown = net.last_of_block("layr1");
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "net: no node or block 'layr1' (did you mean 'layer1'?)");
}

TEST_CASE("a graph is held to its invariants", "[graph][graph]") {
  CHECK(two_blocks().validate());
  CHECK(graph{}.validate());

  auto later = two_blocks();
  later.nodes[1].inputs = {2};
  CHECK(refusal(later)
        == "net: node 'layer1.0.conv1' takes an output that is not made "
           "before it");
  auto itself = two_blocks();
  itself.nodes[1].inputs = {1};
  CHECK(refusal(itself) == refusal(later));
  auto negative = two_blocks();
  negative.nodes[1].inputs = {-1};
  CHECK(refusal(negative) == refusal(later));

  auto twin = two_blocks();
  twin.nodes[5].name = "input";
  CHECK(refusal(twin) == "net: two nodes have the name 'input'");
  auto nameless = two_blocks();
  nameless.nodes[3].name = "";
  CHECK(refusal(nameless) == "net: node 3 has no name");
}
