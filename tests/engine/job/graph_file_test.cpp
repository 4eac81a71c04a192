#include "engine/job/graph_file.hpp"

#include "tests/engine/job/any_ops.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

constexpr image_extents image{28, 32, 3};

result<graph> parse(const std::string& text) {
  const auto ops = make_any_ops();
  return parse_graph(text, "net.toml", image, &ops);
}

bool operator==(const node& a, const node& b) {
  return a.name == b.name && a.op == b.op && a.settings == b.settings
         && a.inputs == b.inputs;
}

const char* const residual = R"(
name = "tiny"
[[node]]
name = "conv1"
op = "conv2d"
out_channels = 8
kernel = [3, 1]
bias = false
[[node]]
name = "bn1"
op = "batch_norm"
eps = 1e-3
[[node]]
name = "sum"
op = "add"
inputs = ["bn1", "conv1", "input"]
[[node]]
name = "pool"
op = "max_pool"
inputs = "sum"
mode = "same"
)";

} // namespace

TEST_CASE("a graph file is the graph it says", "[job][graph_file]") {
  const auto read = parse(residual);
  REQUIRE(read);
  CHECK(read->name == "tiny");
  REQUIRE(read->nodes.size() == 7);

  const auto& input = read->nodes[0];
  CHECK(input.op == "input");
  CHECK(input.settings
        == attributes{{"extents", std::vector<std::int64_t>{3, 28, 32}}});
  const auto& conv = read->nodes[1];
  CHECK(conv.inputs == std::vector<int>{0});
  CHECK(conv.settings
        == attributes{{"out_channels", std::int64_t{8}},
                      {"kernel", std::vector<std::int64_t>{3, 1}},
                      {"bias", false}});
  CHECK(read->nodes[2].settings == attributes{{"eps", 1e-3}});
  CHECK(read->nodes[3].inputs == std::vector<int>{2, 1, 0});
  CHECK(read->nodes[4].inputs == std::vector<int>{3});
  CHECK(read->nodes[4].settings == attributes{{"mode", std::string{"same"}}});
}

TEST_CASE("a graph without a loss gets one", "[job][graph_file]") {
  const auto read = parse(residual);
  REQUIRE(read);
  CHECK(read->nodes[5].op == "labels");
  CHECK(read->nodes[6].name == "loss");
  CHECK(read->nodes[6].op == "softmax_loss");
  CHECK(read->nodes[6].inputs == std::vector<int>{4, 5});
  CHECK(read->validate());
}

TEST_CASE("auxiliary losses stand anywhere before the loss, and the node after "
          "one says its inputs",
          "[job][graph_file]") {
  const std::string head = "[[node]]\nname = 'stem'\nop = 'relu'\n"
                           "[[node]]\nname = 'head'\nop = 'softmax_loss'\n"
                           "auxiliary = true\n";
  const auto read =
    parse(head + "[[node]]\nname = 'fc'\nop = 'linear'\ninputs = 'stem'\n");
  REQUIRE(read);
  REQUIRE(read->nodes.size() == 6);
  CHECK(read->nodes[3].inputs == std::vector<int>{1, 2});
  CHECK(is_auxiliary_loss(read->nodes[3]));
  CHECK(read->nodes[5].name == "loss");
  CHECK(read->nodes[5].inputs == std::vector<int>{4, 2});
  CHECK_FALSE(is_auxiliary_loss(read->nodes[5]));

  const auto guessed = parse(head + "[[node]]\nname = 'fc'\nop = 'linear'\n");
  REQUIRE(!guessed);
  CHECK(guessed.failure().message
        == "net.toml:8: node 'fc': wanted inputs, since the node before is the "
           "auxiliary loss 'head'");
  const auto ends_there = parse(head);
  REQUIRE(!ends_there);
  CHECK_THAT(ends_there.failure().message,
             Catch::Contains("node 'loss': wanted inputs"));
}

TEST_CASE("a loss of the file is kept", "[job][graph_file]") {
  const auto read = parse("[[node]]\nname = 'fc'\nop = 'linear'\n"
                          "[[node]]\nname = 'end'\nop = 'softmax_loss'\n"
                          "label_smoothing = 0.1\n");
  REQUIRE(read);
  CHECK(read->name == "net");
  REQUIRE(read->nodes.size() == 4);
  CHECK(read->nodes[3].name == "end");
  CHECK(read->nodes[3].inputs == std::vector<int>{1, 2});
}

TEST_CASE("a printed graph reads back equal", "[job][graph_file]") {
  const auto read = parse(residual);
  REQUIRE(read);
  const auto text = print_graph(*read);
  const auto again = parse(text);
  INFO(text);
  REQUIRE(again);
  CHECK(again->name == read->name);
  REQUIRE(again->nodes.size() == read->nodes.size());
  for (std::size_t i = 0; i < read->nodes.size(); ++i)
    CHECK((again->nodes[i] == read->nodes[i]));
  CHECK(print_graph(*again) == text);
}
