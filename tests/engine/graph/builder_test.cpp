#include "engine/graph/builder.hpp"

#include "tests/engine/graph/graph_text.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

using lines = std::vector<std::string>;

lines built(graph_builder& from) {
  const auto made = from.finish();
  if (!made)
    FAIL(made.failure().message);
  return to_lines(*made);
}

} // namespace

TEST_CASE("a builder writes what it is told, in order", "[graph][builder]") {
  graph_builder net{"tiny"};
  auto x = net.input({3, 8, 8});
  x = net.conv2d("conv1", x, {.out_channels = 4, .kernel = 3});
  x = net.max_pool("pool", net.relu("relu", net.batch_norm("bn1", x)), {});
  net.loss(net.linear("fc", net.flatten("flatten", x), 10));
  CHECK(built(net)
        == lines{"input = input() extents=[3, 8, 8]",
                 "conv1 = conv2d(input) kernel=3 out_channels=4",
                 "bn1 = batch_norm(conv1)", "relu = relu(bn1)",
                 "pool = max_pool(relu) kernel=2 stride=2",
                 "flatten = flatten(pool)",
                 "fc = linear(flatten) out_features=10", "labels = labels()",
                 "loss = softmax_loss(fc, labels)"});
}

TEST_CASE("losses of heads and of the network have the same labels",
          "[graph][builder]") {
  graph_builder net{"tiny"};
  const auto x = net.flatten("flatten", net.input({3, 8, 8}));
  {
    const auto head = net.within("head");
    net.auxiliary_loss("loss", net.linear("fc", x, 10), 0.4);
  }
  net.loss(net.linear("fc", x, 10));
  CHECK(
    built(net)
    == lines{"input = input() extents=[3, 8, 8]", "flatten = flatten(input)",
             "head.fc = linear(flatten) out_features=10", "labels = labels()",
             "head.loss = softmax_loss(head.fc, labels) auxiliary=true "
             "weight=0.4",
             "fc = linear(flatten) out_features=10",
             "loss = softmax_loss(fc, labels)"});
}

TEST_CASE("a builder writes the settings that are not an op's default",
          "[graph][builder]") {
  graph_builder net{"tiny"};
  auto x = net.input({3, 8, 8});
  x = net.conv2d("a", x,
                 {.out_channels = 4,
                  .kernel = 3,
                  .stride = 2,
                  .padding = 1,
                  .groups = 2,
                  .bias = false,
                  .init = {"kaiming_fan_out"}});
  x = net.max_pool("b", x, {.kernel = 3, .stride = 2, .padding = 1});
  x = net.dropout("c", net.adaptive_avg_pool("p", x, 6), 0.5);
  net.loss(net.linear("d", x, 10, {"normal"}), 0.1);
  const auto made = built(net);
  CHECK(made[1]
        == "a = conv2d(input) bias=false groups=2 init='kaiming_fan_out' "
           "kernel=3 out_channels=4 padding=1 stride=2");
  CHECK(made[2] == "b = max_pool(a) kernel=3 padding=1 stride=2");
  CHECK(made[3] == "p = adaptive_avg_pool(b) output=6");
  CHECK(made[4] == "c = dropout(p) p=0.5");
  CHECK(made[5] == "d = linear(c) init='normal' out_features=10");
  CHECK(made[7] == "loss = softmax_loss(d, labels) label_smoothing=0.1");
}

TEST_CASE("scopes of a builder nest and end", "[graph][builder]") {
  graph_builder net{"tiny"};
  auto x = net.input({3, 8, 8});
  {
    const auto layer = net.within("layer1");
    for (const auto* name : {"0", "1"}) {
      const auto block = net.within(name);
      x = net.sum("add", net.relu("relu", x), x);
    }
    net.global_avg_pool("pool", x);
  }
  net.relu("relu", x);
  CHECK(built(net)
        == lines{"input = input() extents=[3, 8, 8]",
                 "layer1.0.relu = relu(input)",
                 "layer1.0.add = add(layer1.0.relu, input)",
                 "layer1.1.relu = relu(layer1.0.add)",
                 "layer1.1.add = add(layer1.1.relu, layer1.0.add)",
                 "layer1.pool = global_avg_pool(layer1.1.add)",
                 "relu = relu(layer1.1.add)"});
}

TEST_CASE("a builder refuses a network that breaks a graph's invariants",
          "[graph][builder]") {
  graph_builder net{"tiny"};
  const auto x = net.input({1, 2, 2});
  net.relu("relu", x);
  net.relu("relu", x);
  const auto refused = net.finish();
  REQUIRE(!refused);
  CHECK(refused.failure().message == "tiny: two nodes have the name 'relu'");
  CHECK(net.finish()->nodes.empty());
}
