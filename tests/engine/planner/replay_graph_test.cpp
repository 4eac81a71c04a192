#include "engine/planner/replay_graph.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

profiled_node one(const std::string& name, std::vector<int> inputs,
                  double bytes, double parameter_bytes) {
  profiled_node made;
  made.name = name;
  made.inputs = std::move(inputs);
  made.activation_bytes = {bytes};
  made.parameter_bytes = parameter_bytes;
  return made;
}

/// A loader, and two branches of which one is joined to nothing.
profile small_profile() {
  profile made;
  made.network = "small";
  made.nodes = {one("node1", {}, 8, 0), one("node2", {0}, 400, 4000),
                one("node3", {1, 1}, 2, 0), one("node4", {1, 0}, 12, 1)};
  made.nodes[0].description = "Input";
  made.nodes[1].forward = {10, 1};
  made.nodes[1].backward_input = {20, 1};
  made.nodes[1].backward_weight = {30, 1};
  return made;
}

const node& named(const graph& in, const std::string& name) {
  const auto at = in.find(name);
  REQUIRE(at);
  return in.nodes[static_cast<std::size_t>(*at)];
}

std::string input_names(const graph& in, const node& of) {
  std::string names;
  for (const int each : of.inputs)
    names += in.nodes[static_cast<std::size_t>(each)].name + " ";
  return names;
}

} // namespace

TEST_CASE("a replayed network has the profile's times and bytes, node by node",
          "[planner][replay]") {
  const auto net = replay_graph(small_profile());
  REQUIRE(net.validate());
  const auto& x = named(net, "node2");
  CHECK(x.op == "replay");
  CHECK(x.settings.at("elems") == attribute{std::int64_t{100}});
  CHECK(x.settings.at("parameter_elems") == attribute{std::int64_t{1000}});
  CHECK(x.settings.at("forward_us") == attribute{10.0});
  CHECK(x.settings.at("backward_input_us") == attribute{20.0});
  CHECK(x.settings.at("backward_weight_us") == attribute{30.0});
}

TEST_CASE("a replayed node has an element at least, and parameters only if the "
          "profile's has",
          "[planner][replay]") {
  const auto net = replay_graph(small_profile());
  CHECK(named(net, "node3").settings.at("elems") == attribute{std::int64_t{1}});
  CHECK(named(net, "node3").settings.at("parameter_elems")
        == attribute{std::int64_t{0}});
  CHECK(named(net, "node4").settings.at("parameter_elems")
        == attribute{std::int64_t{1}});
}

TEST_CASE("a replayed network takes the image where a loader was, each value "
          "once, and ends in a loss of all that is unused",
          "[planner][replay]") {
  const auto net = replay_graph(small_profile());
  CHECK(!net.find("node1"));
  CHECK(input_names(net, named(net, "node2")) == "replay.image ");
  CHECK(input_names(net, named(net, "node3")) == "node2 ");
  CHECK(input_names(net, named(net, "node4")) == "node2 ");
  CHECK(input_names(net, named(net, "replay.logits")) == "node3 node4 ");
  CHECK(is_loss(net.nodes.back()));
}
