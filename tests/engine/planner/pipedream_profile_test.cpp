#include "engine/planner/pipedream_profile.hpp"

#include "tests/engine/planner/shipped_profiles.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

using namespace pd;
using namespace pd::test;

namespace {

const std::string small = R"(	node3 -- node10
node10 -- Add(inplace) -- forward_compute_time=0.001, backward_compute_time=0.2, activation_size=8.0, parameter_size=0.000
node2 -- Conv2d(3, 64, stride=(1, 1)) -- forward_compute_time=1.5, backward_compute_time=3.001, activation_size=[64.0; 8.5], parameter_size=40.000 -- stage_id=1
node1 -- Input -- forward_compute_time=60.000, backward_compute_time=0.000, activation_size=0.0, parameter_size=0.000
node3 -- ReLU -- forward_compute_time=0.25, backward_compute_time=0.5, activation_size=64.000, parameter_size=0.000
	node1 -- node2
	node2 -- node10
	node2 -- node3
)";

profile read(const std::string& text) {
  auto made = parse_pipedream_graph(text, "g.txt");
  INFO((made ? "" : made.failure().message));
  REQUIRE(made);
  return *std::move(made);
}

std::string failure_of(const std::string& text) {
  const auto made = parse_pipedream_graph(text, "g.txt");
  REQUIRE_FALSE(made);
  CHECK(made.failure().code == errc::bad_file);
  return made.failure().message;
}

bool is_equal(const profiled_node& a, const profiled_node& b) {
  return a.name == b.name && a.description == b.description
         && a.inputs == b.inputs && a.forward.us == b.forward.us
         && a.backward_input.us == b.backward_input.us
         && a.backward_weight.us == b.backward_weight.us
         && a.activation_bytes == b.activation_bytes
         && a.parameter_bytes == b.parameter_bytes
         && a.stash_bytes == b.stash_bytes && a.stage == b.stage;
}

std::string node_line(const std::string& id, const std::string& amounts) {
  return id + " -- op -- " + amounts + "\n";
}

const std::string zeros = "forward_compute_time=0.0, backward_compute_time=0.0,"
                          " activation_size=0.0, parameter_size=0.0";

} // namespace

TEST_CASE("the lines of a graph.txt may come in any order",
          "[planner][pipedream_profile]") {
  const auto made = read(small);
  std::vector<std::string> names;
  for (const auto& each : made.nodes)
    names.push_back(each.name);
  CHECK(names == std::vector<std::string>{"node1", "node2", "node3", "node10"});
  CHECK(made.nodes[3].inputs == std::vector{1, 2});
  CHECK(made.validate());
}

TEST_CASE("nodes that could come next come by their number",
          "[planner][pipedream_profile]") {
  const auto made =
    read(node_line("node1", zeros) + node_line("node10", zeros)
         + node_line("node9", zeros) + node_line("node2", zeros)
         + "\tnode1 -- node10\n\tnode1 -- node9\n\tnode2 -- node9\n");
  std::vector<std::string> names;
  for (const auto& each : made.nodes)
    names.push_back(each.name);
  CHECK(names == std::vector<std::string>{"node1", "node2", "node9", "node10"});
  CHECK(made.nodes[2].inputs == std::vector{0, 1});
}

TEST_CASE("times of a graph.txt are microseconds to the last digit",
          "[planner][pipedream_profile]") {
  const auto made = read(small);
  CHECK(made.nodes[1].forward.us == 1500);
  CHECK(made.nodes[3].forward.us == 1);
  CHECK(made.nodes[0].forward.us == 60000);
}

TEST_CASE("a backward is halved where there are parameters only",
          "[planner][pipedream_profile]") {
  const auto made = read(small);
  CHECK(made.nodes[1].backward_input.us == 1500.5);
  CHECK(made.nodes[1].backward_weight.us == 1500.5);
  CHECK(made.nodes[2].backward_input.us == 500);
  CHECK(made.nodes[2].backward_weight.us == 0);
}

TEST_CASE("a node of several outputs has them all, and stages are read",
          "[planner][pipedream_profile]") {
  const auto made = read(small);
  CHECK(made.nodes[1].activation_bytes == std::vector{64.0, 8.5});
  CHECK(output_bytes(made.nodes[1]) == 72.5);
  CHECK(made.nodes[1].stage == 1);
  CHECK_FALSE(made.nodes[2].stage.has_value());
  CHECK(made.nodes[1].description == "Conv2d(3, 64, stride=(1, 1))");
}

TEST_CASE("a node that works in place keeps nothing for its backward",
          "[planner][pipedream_profile]") {
  const auto made = read(small);
  CHECK(made.nodes[2].stash_bytes == 64);
  CHECK(made.nodes[3].stash_bytes == 0);
}

TEST_CASE("every profile that PipeDream ships is read, and written the same",
          "[planner][pipedream_profile]") {
  for (const auto& path : shipped_profiles()) {
    INFO(path);
    const auto made = parse_pipedream_graph(file_text(path), path);
    REQUIRE(made);
    CHECK(made->validate());
    const auto again = read(print_pipedream_graph(*made));
    REQUIRE(again.nodes.size() == made->nodes.size());
    for (std::size_t i = 0; i < again.nodes.size(); ++i)
      CHECK(is_equal(again.nodes[i], made->nodes[i]));
  }
}

TEST_CASE("nothing of a shipped profile is lost",
          "[planner][pipedream_profile]") {
  for (const auto& path : shipped_profiles()) {
    INFO(path);
    const auto made = *parse_pipedream_graph(file_text(path), path);
    std::size_t edges = 0;
    for (const auto& each : made.nodes)
      edges += each.inputs.size();
    std::istringstream lines{file_text(path)};
    std::size_t wanted_edges = 0;
    std::size_t wanted_nodes = 0;
    for (std::string line; std::getline(lines, line);)
      ++(line.starts_with('\t') ? wanted_edges : wanted_nodes);
    CHECK(edges == wanted_edges);
    CHECK(made.nodes.size() == wanted_nodes);
  }
}

TEST_CASE("a line that PipeDream printed is printed the same",
          "[planner][pipedream_profile]") {
  const std::string line =
    "node4 -- Conv2d(64, 64, padding=(1, 1)) -- forward_compute_time=27.175, "
    "backward_compute_time=52.502, activation_size=1644167168.000, "
    "parameter_size=147712.000\n";
  CHECK(print_pipedream_graph(read(line)) == line);
}

TEST_CASE("a broken graph.txt is refused with its line",
          "[planner][pipedream_profile]") {
  const auto node = node_line("node1", zeros);
  CHECK(failure_of("") == "g.txt: wanted nodes, got none");
  CHECK(failure_of("node1 -- op\n")
        == "g.txt:1: wanted 'id -- description -- times and sizes', got 2 "
           "fields");
  CHECK(failure_of(node + node)
        == "g.txt:2: wanted a node id that is not taken, got 'node1' again");
  CHECK(failure_of(node + "\n\tnode1 -- node2\n")
        == "g.txt:3: wanted an edge between nodes, got 'node2' (did you mean "
           "'node1'?)");
  CHECK(failure_of(node + "\tnode1\n")
        == "g.txt:2: wanted an edge 'source -- destination', got 'node1'");
  CHECK(failure_of(node + "\tnode1 -- node1\n")
        == "g.txt:2: wanted an edge between two nodes, got 'node1' to itself");
  CHECK(failure_of(node + node_line("node2", zeros)
                   + "\tnode1 -- node2\n\tnode2 -- node1\n")
        == "g.txt:1: node 'node1' waits for a cycle of edges, wanted none");
  CHECK(failure_of(node_line("n", "forward_compute_time=1"))
        == "g.txt:1: wanted 'forward_compute_time=, backward_compute_time=, "
           "activation_size=, parameter_size=', got 'forward_compute_time=1'");
}

TEST_CASE("an amount that is no number from 0 on is refused with its key",
          "[planner][pipedream_profile]") {
  const auto with = [](const std::string& from, const std::string& to) {
    auto text = node_line("node1", zeros);
    return failure_of(text.replace(text.find(from), from.size(), to));
  };
  CHECK(with("backward_compute_time=0.0", "backward_compute_time=-1")
        == "g.txt:1: backward_compute_time: wanted a number from 0 on, got "
           "'-1'");
  CHECK(with("forward_compute_time=0.0", "forward_compute_time=nan")
        == "g.txt:1: forward_compute_time: wanted a number from 0 on, got "
           "'nan'");
  CHECK(with("forward_compute_time=0.0", "forward_compute_time=1e3")
        == "g.txt:1: forward_compute_time: wanted a number from 0 on, got "
           "'1e3'");
  CHECK(with("activation_size=0.0", "activation_size=[1.0; x]")
        == "g.txt:1: activation_size: wanted a number from 0 on, got 'x'");
  CHECK(with("activation_size=0.0", "activation_size=[1.0")
        == "g.txt:1: activation_size: wanted a list [a; b], got '[1.0'");
  CHECK(with("parameter_size=0.0", "parameter_size=1e999")
        == "g.txt:1: parameter_size: wanted a number from 0 on, got '1e999'");
  CHECK(with("parameter_size=0.0", "parameter_size=0.0 -- stage_id=-1")
        == "g.txt:1: wanted 'stage_id=' and a number from 0 on, got "
           "'stage_id=-1'");
}
