#include "engine/planner/profile_file.hpp"

#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

profiled_node first_node() {
  profiled_node made;
  made.name = "conv1";
  made.description = "conv2d";
  made.forward = {812.5, 3.25};
  made.backward_weight = {901, 7};
  made.update = {1.5, 0.25};
  made.activation_bytes = {1024};
  made.parameter_bytes = 1728;
  made.stash_bytes = 2048;
  return made;
}

profiled_node second_node() {
  profiled_node made;
  made.name = "say \"hi\"";
  made.inputs = {0};
  made.forward = {1, 0};
  made.backward_input = {2, 0};
  made.activation_bytes = {4, 8};
  made.stage = 1;
  return made;
}

profile small_profile() {
  return {"net", "cpu, AVX2, 2 threads", 16, {first_node(), second_node()}};
}

/// A profile whose second node has `text` behind its name.
std::string with_node(const std::string& text) {
  return R"({"format": "pd-engine profile", "version": 1, "network": "net",
    "minibatch": 1, "nodes": [
    {"name": "a", "inputs": [], "forward_us": 1, "backward_input_us": 1,
     "backward_weight_us": 1, "activation_bytes": 1},
    {"name": "b")"
         + text + "}]}";
}

const std::string times =
  R"(, "forward_us": 1, "backward_input_us": 1, "backward_weight_us": 1)";

std::string failure_of(const std::string& text) {
  const auto read = parse_profile(text);
  REQUIRE_FALSE(read);
  return read.failure().message;
}

} // namespace

TEST_CASE("a profile that is printed and parsed again is the same",
          "[planner][profile_file]") {
  const auto text = print_profile(small_profile());
  const auto read = parse_profile(text);
  REQUIRE(read);
  CHECK(print_profile(*read) == text);
  CHECK(read->network == "net");
  CHECK(read->device == "cpu, AVX2, 2 threads");
  CHECK(read->minibatch == 16);
  REQUIRE(read->nodes.size() == 2);
  CHECK(read->nodes[0].forward.us == 812.5);
  CHECK(read->nodes[0].forward.spread_us == 3.25);
  CHECK(read->nodes[0].backward_weight.us == 901);
  CHECK(read->nodes[0].update.us == 1.5);
  CHECK(read->nodes[0].parameter_bytes == 1728);
  CHECK(read->nodes[0].stash_bytes == 2048);
  CHECK(read->nodes[1].name == "say \"hi\"");
  CHECK(read->nodes[1].inputs == std::vector<int>{0});
  CHECK(read->nodes[1].activation_bytes == std::vector<double>{4, 8});
  CHECK(read->nodes[1].stage == 1);
}

TEST_CASE("what is wrong in a profile is told by node and key",
          "[planner][profile_file]") {
  const std::string inputs = R"(, "inputs": ["a"])";
  const std::string bytes = R"(, "activation_bytes": 1)";
  REQUIRE(parse_profile(with_node(inputs + times + bytes)));
  CHECK(failure_of(with_node(inputs + bytes))
        == "node 'b': wanted a key 'forward_us'");
  CHECK(failure_of(with_node(inputs + times + bytes + R"(, "color": 1)"))
        == "node 'b': no key 'color'");
  CHECK(failure_of(with_node(inputs + times + bytes + R"(, "stash_byte": 1)"))
        == "node 'b': no key 'stash_byte' (did you mean 'stash_bytes'?)");
  CHECK(failure_of(with_node(inputs + times + R"(, "activation_bytes": -1)"))
        == "node 'b': activation_bytes: wanted numbers from 0 on, got -1");
  CHECK(failure_of(with_node(R"(, "inputs": ["c"])" + times + bytes))
        == "node 'b': inputs: wanted names of nodes that stand before it, got "
           "\"c\"");
  CHECK(failure_of(with_node(inputs + bytes + R"(, "forward_us": "1")"))
        == "node 'b': forward_us: wanted a number from 0 on, got \"1\"");
}

TEST_CASE("two nodes of one name are no profile", "[planner][profile_file]") {
  auto twice = small_profile();
  twice.nodes[1].name = "conv1";
  CHECK(failure_of(print_profile(twice))
        == "net: node 'conv1' wants a name of its own");
}

TEST_CASE("what is no profile is refused by its format",
          "[planner][profile_file]") {
  CHECK(failure_of("{}")
        == "wanted \"format\": \"pd-engine profile\", got none");
  CHECK(failure_of("[1]") == "wanted an object, got [1]");
  CHECK(failure_of("node1 -- Input").starts_with("no JSON: "));
  CHECK(failure_of(R"({"format": "pd-engine profile", "version": 2})")
        == "version: wanted 1, got 2");
}

TEST_CASE("a profile's file is named in what is wrong with it",
          "[planner][profile_file]") {
  const test::scratch_folder in;
  const auto path = in.write("p.json", "{}");
  const auto read = read_profile(path);
  REQUIRE_FALSE(read);
  CHECK(read.failure().message.starts_with(path + ": wanted"));
  CHECK(read_profile(in / "none").failure().code == errc::io);
  REQUIRE(write_profile(small_profile(), in / "q.json"));
  const auto back = read_profile(in / "q.json");
  REQUIRE(back);
  CHECK(back->is_ours);
  REQUIRE(write_profile(small_profile(), in / "graph.txt"));
  const auto graph = read_profile(in / "graph.txt");
  REQUIRE(graph);
  CHECK_FALSE(graph->is_ours);
  CHECK(graph->nodes.nodes.size() == 2);
  CHECK(graph->nodes.nodes[0].forward.us == 812.5);
  CHECK_FALSE(write_profile(small_profile(), in / "no/q.json"));
}
