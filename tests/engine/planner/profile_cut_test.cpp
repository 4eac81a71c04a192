#include "engine/planner/profile_cut.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

/// A chain of nodes with a skip from "a" to "d"; times and bytes by place.
profile chain() {
  profile made{"net", "", 1, {}};
  const std::vector<std::vector<int>> inputs{{}, {0}, {1}, {2, 0}};
  for (int i = 0; i < 4; ++i) {
    auto& node = made.nodes.emplace_back();
    node.name = std::string(1, static_cast<char>('a' + i));
    node.inputs = inputs[static_cast<std::size_t>(i)];
    node.forward.us = 1e6 * (i + 1);
    node.backward_input.us = 2e6;
    node.backward_weight.us = 3e6;
    node.activation_bytes = {10.0 * (i + 1)};
    node.parameter_bytes = 100;
    node.stash_bytes = 7;
  }
  return made;
}

std::string text_of(const std::vector<profile_stage>& stages) {
  std::string text;
  for (const auto& each : stages)
    text +=
      std::to_string(each.last) + ":" + std::to_string(each.replicas) + " ";
  return text;
}

std::string parsed(const std::string& text) {
  const auto made = parse_stages(chain(), text);
  return made ? text_of(*made) : made.failure().message;
}

} // namespace

TEST_CASE("stages are read by node and replicas, or as equal parts",
          "[planner][profile_cut]") {
  CHECK(parsed("a:2,c,:3") == "0:2 2:1 3:3 ");
  CHECK(parsed("b,d") == "1:1 3:1 ");
  CHECK(parsed("1") == "3:1 ");
  CHECK(parsed("2x4") == "1:4 3:4 ");
  CHECK(parsed("4") == "0:1 1:1 2:1 3:1 ");
}

TEST_CASE("stages that cannot be are told by number",
          "[planner][profile_cut]") {
  CHECK(parsed("b,a,d")
        == "--stages: stage 1 ends before stage 0 does, or "
           "where it does");
  CHECK(parsed("b,e")
        == "--stages: stage 1: net: no node 'e' (did you mean 'a'?)");
  CHECK(parsed("b:0,d")
        == "--stages: stage 0: wanted replicas behind the "
           "colon, 1 to 4096, got 'b:0'");
  CHECK(parsed("a,c")
        == "--stages: the last stage has to run to the end, 'd', "
           "got 'c'");
  CHECK(parsed("5") == "--stages: wanted at most 4 stages, one a node, got 5");
}

TEST_CASE("a cut sends what later stages take, once to each",
          "[planner][profile_cut]") {
  const auto cut = cut_profile(chain(), {{0, 2}, {2, 1}, {3, 1}}, 1e9);
  REQUIRE(cut);
  CHECK(cut->shape.replicas == std::vector<int>{2, 1, 1});
  CHECK(cut->links[0].downstream == std::vector<int>{1, 2});
  CHECK(cut->loads[0].activation_bytes == std::vector<double>{10, 10});
  CHECK(cut->loads[1].activation_bytes == std::vector<double>{30});
  CHECK(cut->loads[2].gradient_bytes == std::vector<double>{10, 30});
  CHECK(cut->loads[1].forward_s == Approx(5));
  CHECK(cut->loads[1].input_s == Approx(4));
  CHECK(cut->loads[1].weight_s == Approx(6));
  CHECK(cut->parameter_bytes == std::vector<double>{100, 200, 100});
  const auto two = cut_profile(chain(), {{0, 1}, {3, 1}}, 1e9);
  REQUIRE(two); // "b" and "d" take the same value there
  CHECK(two->loads[0].activation_bytes == std::vector<double>{10});
}

TEST_CASE("buckets are of whole nodes, and whole as the backward comes by",
          "[planner][profile_cut]") {
  const auto cut = cut_profile(chain(), {{3, 1}}, 150);
  REQUIRE(cut);
  const auto& buckets = cut->loads[0].buckets;
  REQUIRE(buckets.size() == 2);
  CHECK(buckets[0].bytes == 200);
  CHECK(buckets[0].whole_share == Approx(0.5));
  CHECK(buckets[1].bytes == 200);
  CHECK(buckets[1].whole_share == Approx(1));
}

TEST_CASE("what a loader brings costs nothing and crosses nothing",
          "[planner][profile_cut]") {
  auto from = chain();
  from.nodes[0].description = "Input0";
  const auto cut = cut_profile(from, {{1, 1}, {3, 1}}, 1e9);
  REQUIRE(cut);
  CHECK(cut->loads[0].forward_s == Approx(2));
  CHECK(cut->loads[0].activation_bytes == std::vector<double>{20});
}

TEST_CASE("memory counts versions, gradients, a moment and the stash",
          "[planner][profile_cut]") {
  const auto cut = cut_profile(chain(), {{3, 1}}, 1e9);
  REQUIRE(cut);
  const auto cells = parse_row("F0 F1 B0 U1 B1@0 U2");
  REQUIRE(cells);
  CHECK(estimated_memory_bytes(*cut, 0, *cells, 2)
        == 400 * (2 + 2) + 2 * 4 * 7);
}
