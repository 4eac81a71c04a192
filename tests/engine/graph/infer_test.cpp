#include "engine/graph/infer.hpp"

#include "engine/graph/builder.hpp"
#include "ops/register.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

const registry& ops() {
  static const registry all = [] {
    registry made;
    register_ops(made);
    return made;
  }();
  return all;
}

typed_graph typed(graph_builder& from, std::int64_t samples) {
  auto net = from.finish();
  REQUIRE(net);
  auto made = infer(*std::move(net), ops(), samples);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

error refusal(graph_builder& from) {
  auto net = from.finish();
  REQUIRE(net);
  const auto made = infer(*std::move(net), ops(), 2);
  REQUIRE(!made);
  return made.failure();
}

} // namespace

TEST_CASE("shapes follow from the input and the batch", "[graph][infer]") {
  graph_builder net{"tiny"};
  auto x = net.input({3, 9, 8});
  x = net.conv2d("conv", x, {.out_channels = 4, .kernel = 3, .stride = 2});
  x = net.max_pool("pool", x, {});
  net.loss(net.linear("fc", net.flatten("flatten", x), 5));
  const auto made = typed(net, 7);
  const std::vector<shape> wanted{
    {7, 3, 9, 8}, {7, 4, 4, 3}, {7, 4, 2, 1}, {7, 8}, {7, 5}};
  for (std::size_t i = 0; i < wanted.size(); ++i)
    CHECK(made.shapes[i] == wanted[i]);
  CHECK(made.ops.size() == made.net.nodes.size());
  CHECK(made.input_shapes(1) == std::vector<shape>{{7, 3, 9, 8}});
}

TEST_CASE("parameters have their node's name in front", "[graph][infer]") {
  graph_builder net{"tiny"};
  const auto block = net.within("layer1");
  net.linear("fc", net.input({6}), 5);
  const auto found = typed(net, 2).parameters(1);
  REQUIRE(found.size() == 2);
  CHECK(found[0].suffix == "layer1.fc.weight");
  CHECK(found[0].extents == shape{5, 6});
  CHECK(found[1].suffix == "layer1.fc.bias");
}

TEST_CASE("a shape that does not fit names the node, wanted and got",
          "[graph][infer]") {
  graph_builder small{"small"};
  small.conv2d("conv1", small.input({3, 4, 4}), {.kernel = 5});
  const auto kernel = refusal(small);
  CHECK(kernel.code == errc::bad_shape);
  CHECK(kernel.message.starts_with("node 'conv1': conv2d: "));
  CHECK(kernel.message.find('5') != std::string::npos);
  CHECK(kernel.message.find('4') != std::string::npos);

  graph_builder unlike{"unlike"};
  const auto x = unlike.input({3, 4, 4});
  unlike.sum("sum", x, unlike.max_pool("pool", x, {}));
  const auto sum = refusal(unlike);
  CHECK(sum.code == errc::bad_shape);
  CHECK(sum.message.starts_with("node 'sum': add: "));
  CHECK(sum.message.find("[2, 3, 4, 4]") != std::string::npos);
  CHECK(sum.message.find("[2, 3, 2, 2]") != std::string::npos);

  graph_builder flat{"flat"};
  flat.linear("fc", flat.input({3, 4, 4}), 5);
  const auto linear = refusal(flat);
  CHECK(linear.code == errc::bad_shape);
  CHECK(linear.message.starts_with("node 'fc': linear: "));
  CHECK(linear.message.find("[2, 3, 4, 4]") != std::string::npos);
}

TEST_CASE("infer hands on what a graph or an op refuses", "[graph][infer]") {
  const graph twins{"twins",
                    {{"a", "labels", {}, {}}, {"a", "labels", {}, {}}}};
  CHECK(infer(twins, ops(), 1).failure().message
        == "twins: two nodes have the name 'a'");
  graph_builder typo{"typo"};
  typo.add("r", "rely", {typo.input({3})});
  CHECK(refusal(typo).message
        == "node 'r': no op 'rely' (did you mean 'relu'?)");
  graph_builder groups{"groups"};
  groups.conv2d("c", groups.input({3, 4, 4}), {.groups = 2});
  CHECK(refusal(groups).message.starts_with("node 'c': conv2d: "));
}

TEST_CASE("a parameter without a suffix has its node's name",
          "[graph][infer]") {
  graph_builder net{"tiny"};
  const auto block = net.within("encoder");
  const auto x = net.add("places", "position_embedding", {net.input({3, 4})});
  net.add("mix", "linear", {x},
          {{"out_features", std::int64_t{5}}, {"separator", std::string{"_"}}});
  const auto made = typed(net, 2);
  CHECK(made.parameters(1)[0].suffix == "encoder.places");
  CHECK(made.parameters(2)[0].suffix == "encoder.mix_weight");
}

TEST_CASE("two parameters of one name are refused", "[graph][infer]") {
  graph_builder net{"tiny"};
  const auto x = net.add("fc_weight", "class_token", {net.input({3, 4})});
  net.add("fc", "linear", {x},
          {{"out_features", std::int64_t{5}}, {"separator", std::string{"_"}}});
  const auto refused = refusal(net);
  CHECK(refused.code == errc::bad_value);
  CHECK(refused.message
        == "node 'fc': its parameter 'fc_weight' is one of node 'fc_weight' "
           "too");
}
