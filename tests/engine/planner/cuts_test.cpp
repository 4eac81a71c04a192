#include "engine/planner/cuts.hpp"

#include "tests/engine/planner/brute_force.hpp"
#include "tests/engine/planner/random_profile.hpp"
#include "tests/engine/planner/shipped_profiles.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace pd;
using namespace pd::test;

namespace {

/// Nodes by what they take: {} {0} {0} {1, 2}.
profile network(const std::vector<std::vector<int>>& inputs) {
  profile made;
  made.network = "net";
  for (const auto& each : inputs) {
    profiled_node next;
    next.name = "n" + std::to_string(made.nodes.size());
    next.description = "op";
    next.inputs = each;
    next.activation_bytes = {
      std::ldexp(1.0, static_cast<int>(made.nodes.size()))};
    made.nodes.push_back(next);
  }
  return made;
}

/// A source, chains beside each other, and a sink.
profile fan(int branches, int length) {
  std::vector<std::vector<int>> inputs{{}};
  std::vector<int> ends;
  for (int b = 0; b < branches; ++b) {
    for (int i = 0; i < length; ++i)
      inputs.push_back({i == 0 ? 0 : static_cast<int>(inputs.size()) - 1});
    ends.push_back(static_cast<int>(inputs.size()) - 1);
  }
  inputs.push_back(ends);
  return network(inputs);
}

cut_list cuts_of(const profile& of, cut_rule rule = cut_rule::antichains) {
  auto made = find_cuts(of, rule);
  INFO((made ? "" : made.failure().message));
  REQUIRE(made);
  return *std::move(made);
}

std::set<mask> sets_of(const cut_list& from) {
  std::set<mask> made;
  for (const auto& each : from.cuts)
    made.insert(static_cast<mask>(each.has[0]));
  return made;
}

} // namespace

TEST_CASE("a chain can be cut behind every node", "[planner][cuts]") {
  const auto made = cuts_of(network({{}, {0}, {1}, {2}}));
  CHECK(sets_of(made) == std::set<mask>{1, 3, 7, 15});
  CHECK(made.parts[3] == std::vector{0, 1, 2});
}

TEST_CASE("branches can be cut each by itself", "[planner][cuts]") {
  const auto made = cuts_of(network({{}, {0}, {0}, {1, 2}}));
  CHECK(sets_of(made) == std::set<mask>{1, 3, 5, 7, 15});
  CHECK(made.parts[2] == std::vector{0}); // not the other branch
}

TEST_CASE("the cuts of a network of one source are all its closed sets",
          "[planner][cuts]") {
  random_numbers random{1};
  for (int i = 0; i < 100; ++i) {
    const auto of = random_profile(random, draw(random, 1, 8), 3);
    const amounts sums{of};
    std::set<mask> wanted;
    for (mask set = 1; set <= sums.all(); ++set)
      if (sums.is_closed(set))
        wanted.insert(set);
    CHECK(sets_of(cuts_of(of)) == wanted);
  }
}

TEST_CASE("what crosses a cut is what nodes behind it take",
          "[planner][cuts]") {
  random_numbers random{2};
  for (int i = 0; i < 50; ++i) {
    const auto of = random_profile(random, draw(random, 2, 8), 3);
    const amounts sums{of};
    for (const auto& each : cuts_of(of).cuts) {
      const auto set = static_cast<mask>(each.has[0]);
      CHECK(each.crossing_bytes == Approx(sums.crossing(set)));
      CHECK(each.antichain_bytes == Approx(sums.antichain(set)));
      CHECK(each.stash_bytes == Approx(sums.stash(set)));
    }
  }
}

TEST_CASE("loaders and outputs that nobody takes are in no stage",
          "[planner][cuts]") {
  auto of = network({{}, {0}, {1}, {1}});
  of.nodes[0].description = "Input0";
  of.nodes[2].description = "__getitem__(1)";
  const auto made = cuts_of(of);
  CHECK(sets_of(made) == std::set<mask>{2, 2 + 8});
  CHECK(nodes_between(made, -1, 1) == std::vector{1, 3});
  CHECK(nodes_between(made, 0, 1) == std::vector{3});
}

TEST_CASE("a further source comes with its first taker", "[planner][cuts]") {
  //  0 -> 1 -> 3 -> 4, 2 -> 3
  const auto made = cuts_of(network({{}, {0}, {}, {1, 2}, {3}}));
  CHECK(sets_of(made) == std::set<mask>{1, 3, 15, 31});
}

TEST_CASE("a network whose last node is not of the first source has it in its "
          "last cut",
          "[planner][cuts]") {
  const auto made = cuts_of(network({{}, {0}, {}, {2}}));
  CHECK(sets_of(made) == std::set<mask>{1, 3, 15});
}

TEST_CASE("prefixes are the cuts of a job", "[planner][cuts]") {
  const auto made =
    cuts_of(network({{}, {0}, {0}, {1, 2}}), cut_rule::prefixes);
  CHECK(sets_of(made) == std::set<mask>{1, 3, 7, 15});
}

TEST_CASE("branches beyond all count are cut in their order, and that is said",
          "[planner][cuts]") {
  const auto made = cuts_of(fan(30, 2));
  CHECK(made.size() == 62);
  REQUIRE(made.kept_in_order.size() == 1);
  CHECK(made.kept_in_order[0] == "between 'n1' and 'n60' (60 nodes)");
}

TEST_CASE("a place with few branches keeps them all beside a wide one",
          "[planner][cuts]") {
  auto of = fan(30, 2);
  const int end = static_cast<int>(of.nodes.size()) - 1;
  for (const auto& inputs :
       {std::vector{end}, std::vector{end}, std::vector{end + 1, end + 2}}) {
    auto next = of.nodes.back();
    next.name = "m" + std::to_string(of.nodes.size());
    next.inputs = inputs;
    of.nodes.push_back(next);
  }
  CHECK(cuts_of(of).size() == 62 + 4);
}

TEST_CASE("a network of too many nodes is refused with its widest place",
          "[planner][cuts]") {
  auto of = fan(3, 2);
  for (int i = 0; i < most_cuts; ++i) {
    auto next = of.nodes.back();
    next.name = "m" + std::to_string(i);
    next.inputs = {static_cast<int>(of.nodes.size()) - 1};
    of.nodes.push_back(next);
  }
  const auto made = find_cuts(of, cut_rule::antichains);
  REQUIRE_FALSE(made);
  CHECK(made.failure().code == errc::not_supported);
  CHECK(made.failure().message
        == "net: more than 4096 places to cut it, the widest between 'n1' and "
           "'n6' (6 nodes)");
}

TEST_CASE("a network of loaders alone is refused", "[planner][cuts]") {
  auto of = network({{}});
  of.nodes[0].description = "Input";
  const auto made = find_cuts(of, cut_rule::antichains);
  REQUIRE_FALSE(made);
  CHECK(made.failure().message == "net: wanted nodes that compute, got none");
}

TEST_CASE("every shipped network has few enough cuts", "[planner][cuts]") {
  for (const auto& path : shipped_profiles()) {
    INFO(path);
    const auto made = find_cuts(shipped_profile(path), cut_rule::antichains);
    REQUIRE(made);
    const bool is_wide =
      path.find("nasnet") != path.npos || path.find("inception") != path.npos;
    CHECK(made->kept_in_order.empty() != is_wide);
  }
}
