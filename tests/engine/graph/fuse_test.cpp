#include "engine/graph/fuse.hpp"

#include "engine/graph/builder.hpp"
#include "tests/engine/graph/graph_text.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

using lines = std::vector<std::string>;

/// A network behind an input [8, 4, 4].
struct network {
  graph_builder build{"net"};
  int x = build.input({8, 4, 4});

  graph finish() {
    auto made = build.finish();
    if (!made)
      FAIL(made.failure().message);
    return *std::move(made);
  }
  lines fused(const std::set<std::string>& visible = {}) {
    return without_input(fuse(finish(), visible).net);
  }
  static lines without_input(const graph& net) {
    auto all = to_lines(net);
    all.erase(all.begin());
    return all;
  }
};

/// What holds for the result of any pass.
void check_pass(const graph& before, const rewritten& after) {
  CHECK(after.net.validate());
  CHECK(after.net.name == before.name);
  REQUIRE(after.index_of.size() == before.nodes.size());
  for (const int index : after.index_of)
    CHECK(index < static_cast<int>(after.net.nodes.size()));
}

} // namespace

// -- what is fused -----------------------------------------------------------

TEST_CASE("a relu goes into the convolution, linear, norm or add before it",
          "[graph][fuse]") {
  network conv;
  conv.build.relu("r", conv.build.conv2d("c", conv.x, {}));
  CHECK(conv.fused()
        == lines{"c = conv2d(input) kernel=1 out_channels=1 "
                 "relu=true"});
  network linear;
  linear.build.relu("r", linear.build.linear("l", linear.x, 3));
  CHECK(linear.fused() == lines{"l = linear(input) out_features=3 relu=true"});
  network norm;
  norm.build.relu("r", norm.build.batch_norm("b", norm.x));
  CHECK(norm.fused() == lines{"b = batch_norm(input) relu=true"});
  network sum;
  sum.build.relu("r", sum.build.sum("s", sum.x, sum.x));
  CHECK(sum.fused() == lines{"s = add(input, input) relu=true"});
}

TEST_CASE("an add of three with a relu is fused as an add", "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  net.build.relu("r", net.build.add("s", "add", {b, net.x, net.x}));
  CHECK(
    net.fused()
    == lines{"b = batch_norm(input)", "s = add(b, input, input) relu=true"});
}

TEST_CASE("norm, add and relu become a norm with a residual", "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  net.build.relu("r", net.build.sum("s", b, net.x));
  CHECK(net.fused() == lines{"b = batch_norm(input, input) relu=true"});
}

TEST_CASE("the residual may be made after the norm: the fused node stands "
          "where the relu stood",
          "[graph][fuse]") {
  network net;
  const auto main = net.build.batch_norm("main", net.x);
  const auto other = net.build.conv2d("other", net.x, {.out_channels = 8});
  net.build.relu("r", net.build.sum("s", main, other));
  CHECK(net.fused()
        == lines{"other = conv2d(input) kernel=1 out_channels=8",
                 "main = batch_norm(input, other) relu=true"});
}

TEST_CASE("of two norms under an add the main branch is taken",
          "[graph][fuse]") {
  network net;
  const auto main = net.build.batch_norm("main", net.x);
  const auto down = net.build.batch_norm("down", net.x);
  net.build.relu("r", net.build.sum("s", main, down));
  CHECK(net.fused()
        == lines{"down = batch_norm(input)",
                 "main = batch_norm(input, down) relu=true"});
}

TEST_CASE("the second branch is taken if the first is no norm of one consumer",
          "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  net.build.relu("r", net.build.sum("s", net.x, b));
  CHECK(net.fused() == lines{"b = batch_norm(input, input) relu=true"});

  network shared;
  const auto first = shared.build.batch_norm("first", shared.x);
  const auto second = shared.build.batch_norm("second", shared.x);
  shared.build.relu("r", shared.build.sum("s", first, second));
  shared.build.flatten("f", first);
  CHECK(shared.fused()
        == lines{"first = batch_norm(input)",
                 "second = batch_norm(input, first) relu=true",
                 "f = flatten(first)"});
}

TEST_CASE("identities and dropouts that drop nothing go", "[graph][fuse]") {
  network net;
  auto x = net.build.add("i", "identity", {net.x});
  x = net.build.dropout("d", x, 0);
  x = net.build.conv2d("c", x, {});
  x = net.build.add("w", "dropout", {x}, {{"p", std::int64_t{0}}});
  net.build.relu("r", x);
  const auto made = fuse(net.finish());
  CHECK(network::without_input(made.net)
        == lines{"c = conv2d(input) kernel=1 out_channels=1 relu=true"});
  CHECK(made.index_of == std::vector<int>{0, 0, 0, -1, -1, 1});
}

// -- what is not -------------------------------------------------------------

TEST_CASE("a value that two nodes take is not fused away", "[graph][fuse]") {
  for (const bool is_norm : {false, true}) {
    network net;
    const auto y = is_norm ? net.build.batch_norm("y", net.x)
                           : net.build.conv2d("y", net.x, {});
    net.build.relu("r", y);
    net.build.flatten("f", y);
    CHECK(net.fused().size() == 3);
  }
}

TEST_CASE("a value that must stay visible is not fused away", "[graph][fuse]") {
  network net;
  net.build.relu("r", net.build.conv2d("c", net.x, {}));
  CHECK(net.fused({"c"}).size() == 2);

  network residual;
  const auto b = residual.build.batch_norm("b", residual.x);
  residual.build.relu("r", residual.build.sum("s", b, residual.x));
  const auto whole = residual.finish();
  CHECK(network::without_input(fuse(whole, {"s"}).net)
        == lines{"b = batch_norm(input)", "s = add(b, input)", "r = relu(s)"});
  CHECK(network::without_input(fuse(whole, {"b"}).net)
        == lines{"b = batch_norm(input)", "s = add(b, input) relu=true"});
}

TEST_CASE("a relu that must stay visible is: the fused node makes its value",
          "[graph][fuse]") {
  network net;
  net.build.relu("r", net.build.conv2d("c", net.x, {}));
  const auto made = fuse(net.finish(), {"r"});
  CHECK(made.net.nodes.size() == 2);
  CHECK(made.index_of == std::vector<int>{0, -1, 1});
}

TEST_CASE("an identity that must stay visible stays", "[graph][fuse]") {
  network net;
  net.build.add("i", "identity", {net.x});
  CHECK(net.fused({"i"}) == lines{"i = identity(input)"});
}

TEST_CASE("a relu6 is fused into a norm, and into nothing else",
          "[graph][fuse]") {
  network norm;
  norm.build.relu6("r", norm.build.batch_norm("b", norm.x));
  CHECK(norm.fused() == lines{"b = batch_norm(input) relu6=true"});
  network twice;
  const auto b = twice.build.relu("r1", twice.build.batch_norm("b", twice.x));
  twice.build.relu6("r2", b);
  CHECK(twice.fused()
        == lines{"b = batch_norm(input) relu=true", "r2 = relu6(b)"});
  network convolution;
  convolution.build.relu6("r",
                          convolution.build.conv2d("c", convolution.x, {}));
  CHECK(convolution.fused().size() == 2);
}

TEST_CASE("a norm takes a residual that no relu follows", "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  net.build.flatten("f", net.build.sum("s", b, net.x));
  CHECK(net.fused() == lines{"b = batch_norm(input, input)", "f = flatten(b)"});

  network with_relu6;
  const auto c = with_relu6.build.batch_norm("c", with_relu6.x);
  with_relu6.build.relu6("r", with_relu6.build.sum("s", c, with_relu6.x));
  CHECK(with_relu6.fused()
        == lines{"c = batch_norm(input, input)", "r = relu6(c)"});
}

TEST_CASE("a sum whose value two nodes take keeps its relu apart",
          "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  const auto s = net.build.sum("s", b, net.x);
  net.build.relu("r", s);
  net.build.flatten("f", s);
  CHECK(
    net.fused()
    == lines{"b = batch_norm(input, input)", "r = relu(b)", "f = flatten(b)"});
}

TEST_CASE("a norm that has its relu, or its residual, takes no other",
          "[graph][fuse]") {
  network net;
  const auto b = net.build.relu("r1", net.build.batch_norm("b", net.x));
  net.build.relu("r2", net.build.sum("s", b, net.x));
  CHECK(
    net.fused()
    == lines{"b = batch_norm(input) relu=true", "s = add(b, input) relu=true"});

  network twice;
  const auto c = twice.build.add("c", "batch_norm", {twice.x, twice.x});
  twice.build.relu("r", twice.build.sum("s", c, twice.x));
  CHECK(
    twice.fused()
    == lines{"c = batch_norm(input, input)", "s = add(c, input) relu=true"});
}

TEST_CASE("a norm added to itself is no residual", "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  net.build.relu("r", net.build.sum("s", b, b));
  CHECK(net.fused()
        == lines{"b = batch_norm(input)", "s = add(b, b) relu=true"});
}

TEST_CASE("dropouts that drop stay", "[graph][fuse]") {
  network net;
  const auto b = net.build.batch_norm("b", net.x);
  const auto s = net.build.sum("s", b, net.x);
  const auto d = net.build.dropout("d", s, 0.5);
  net.build.add("e", "dropout", {d}); // its p is the op's default
  CHECK(net.fused()
        == lines{"b = batch_norm(input, input)", "d = dropout(b) p=0.5",
                 "e = dropout(d)"});
}

TEST_CASE("a relu behind a relu or a pooling stays", "[graph][fuse]") {
  network net;
  auto x = net.build.relu("r1", net.build.conv2d("c", net.x, {}));
  x = net.build.relu("r2", x);
  net.build.relu("r3", net.build.max_pool("p", x, {}));
  CHECK(net.fused()
        == lines{"c = conv2d(input) kernel=1 out_channels=1 relu=true",
                 "r2 = relu(c)", "p = max_pool(r2) kernel=2 stride=2",
                 "r3 = relu(p)"});
}

// -- place_inputs ------------------------------------------------------------

TEST_CASE("what cannot read a loader's layout gets one to_activation",
          "[graph][place_inputs]") {
  network net;
  net.build.conv2d("c", net.x, {});
  net.build.relu("r", net.x);
  net.build.sum("s", net.x, net.x);
  net.build.flatten("f", net.x);
  const auto whole = net.finish();
  const auto made = place_inputs(whole);
  check_pass(whole, made);
  CHECK(network::without_input(made.net)
        == lines{"input.to_activation = to_activation(input)",
                 "c = conv2d(input) kernel=1 out_channels=1",
                 "r = relu(input.to_activation)",
                 "s = add(input.to_activation, input.to_activation)",
                 "f = flatten(input)"});
  CHECK(made.index_of == std::vector<int>{0, 2, 3, 4, 5});
}

TEST_CASE("an input that all can read, and an activation, stay as they are",
          "[graph][place_inputs]") {
  network net;
  net.build.conv2d("c", net.x, {});
  const auto whole = net.finish();
  CHECK(to_lines(place_inputs(whole).net) == to_lines(whole));

  graph_builder stage{"stage"};
  const auto x = stage.add(
    "input", "input", {},
    {{"extents", std::vector<std::int64_t>{8, 4, 4}}, {"activation", true}});
  stage.relu("r", x);
  const auto cut = stage.finish();
  CHECK(to_lines(place_inputs(*cut).net) == to_lines(*cut));
}

TEST_CASE("placing inputs twice is placing them once",
          "[graph][place_inputs]") {
  network net;
  net.build.relu("r", net.x);
  const auto once = place_inputs(net.finish());
  const auto twice = place_inputs(once.net);
  CHECK(to_lines(twice.net) == to_lines(once.net));
}

TEST_CASE("labels are not placed, and names stay unique",
          "[graph][place_inputs]") {
  network net;
  net.build.flatten("input.to_activation", net.build.relu("r", net.x));
  net.build.loss(net.x);
  const auto made = place_inputs(net.finish());
  CHECK(made.net.validate());
  CHECK(to_lines(made.net).back()
        == "loss = softmax_loss(input.to_activation_, labels)");
}

TEST_CASE("two passes give one map", "[graph][fuse]") {
  network net;
  auto x = net.build.batch_norm("b", net.x);
  x = net.build.relu("r", x);
  net.build.flatten("f", x);
  const auto made = fuse(place_inputs(net.finish()));
  CHECK(network::without_input(made.net)
        == lines{"input.to_activation = to_activation(input)",
                 "b = batch_norm(input.to_activation) relu=true",
                 "f = flatten(b)"});
  CHECK(made.index_of == std::vector<int>{0, -1, 2, 3});
}
