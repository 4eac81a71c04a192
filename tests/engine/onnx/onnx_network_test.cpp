/// What nodes become, and what is refused.

#include "engine/onnx/onnx_network.hpp"

#include "engine/graph/infer.hpp"
#include "tests/engine/onnx/small_model.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

using namespace pd;

namespace {

constexpr onnx_options options{
  .classes = 3, .height = 6, .width = 6, .channels = 2};

result<onnx_network> imported(const small_model& from,
                              const onnx_options& as = options) {
  return import_onnx(from.made, "x.onnx", as, all_ops());
}

std::string failure_of(const small_model& from,
                       const onnx_options& as = options) {
  const auto read = imported(from, as);
  return read ? "" : read.failure().message;
}

/// One line a node: "conv1 conv2d(input)", without the loss.
std::string printed(const small_model& from) {
  const auto read = imported(from);
  if (!read)
    return read.failure().message;
  std::string made;
  for (const auto& each : read->net.nodes) {
    if (each.op == "labels" || each.op == "softmax_loss" || each.op == "input")
      continue;
    made += each.name + " " + each.op + "(";
    for (const int input : each.inputs)
      made += (made.back() == '(' ? "" : " ")
              + read->net.nodes[static_cast<std::size_t>(input)].name;
    made += ")\n";
  }
  return made;
}

attribute setting(const small_model& from, const std::string& node,
                  const std::string& name) {
  const auto read = imported(from);
  if (!read)
    FAIL(read.failure().message);
  const auto at = read->net.find(node);
  REQUIRE(at);
  return read->net.nodes[static_cast<std::size_t>(*at)].settings.at(name);
}

small_model convolution(std::vector<onnx_attribute> settings,
                        std::int64_t features) {
  small_model made;
  made.with(reals("conv.weight", {4, 2, 3, 3}))
    .node("Conv", {"x", "conv.weight"}, "y", std::move(settings))
    .head("y", features);
  return made;
}

using list = std::vector<std::int64_t>;

} // namespace

TEST_CASE("a network's nodes, names and weights are the file's",
          "[onnx][network]") {
  auto model = convolution({ints("pads", {1, 1, 1, 1}), ints("strides", {2, 2}),
                            ints("kernel_shape", {3, 3})},
                           36);
  CHECK(printed(model)
        == "conv conv2d(input)\nflat flatten(conv)\nfc linear(flat)\n");
  const auto read = imported(model);
  REQUIRE(read);
  CHECK(read->net.name == "x");
  CHECK(read->parameters.size() == 3);
  std::vector<float> values(72);
  std::iota(values.begin(), values.end(), 0.0F);
  CHECK(read->values_of("conv.weight") == values);
  CHECK(setting(model, "conv", "stride") == attribute{list{2, 2}});
  CHECK(setting(model, "conv", "bias") == attribute{false});
  CHECK(infer(read->net, all_ops(), 4));
}

TEST_CASE("a matrix product and the sum after it are one linear",
          "[onnx][network]") {
  small_model model;
  model.with(reals("w", {72, 3}))
    .with(reals("b", {3}))
    .node("Flatten", {"x"}, "flat")
    .node("MatMul", {"flat", "w"}, "product")
    .node("Add", {"b", "product"}, "logits");
  CHECK(printed(model) == "flat flatten(input)\nproduct linear(flat)\n");
  const auto read = imported(model);
  REQUIRE(read);
  const auto weight = read->values_of("product.weight");
  CHECK(weight[1] == 3.0F); // [O, I]: the second row of the first column
  CHECK(read->values_of("product.bias") == std::vector<float>{0, 1, 2});
}

TEST_CASE("a product that two nodes take keeps its bias apart, and is refused",
          "[onnx][network]") {
  small_model model;
  model.with(reals("w", {72, 3}))
    .with(reals("b", {3}))
    .node("Flatten", {"x"}, "flat")
    .node("MatMul", {"flat", "w"}, "product")
    .node("Identity", {"product"}, "same")
    .node("Add", {"same", "b"}, "sum")
    .node("Add", {"sum", "product"}, "logits");
  CHECK(failure_of(model)
        == "x.onnx: node 'sum' (Add): a constant 'b' is only added as the bias "
           "of a MatMul");
}

TEST_CASE("shapes that the file computes are computed when it is read",
          "[onnx][network]") {
  small_model model;
  model.with(wholes("zero", {0}, true))
    .with(wholes("axes", {0}))
    .with(wholes("minus", {-1}))
    .with(reals("fc.weight", {3, 72}))
    .node("Shape", {"x"}, "shape")
    .node("Gather", {"shape", "zero"}, "n")
    .node("Unsqueeze", {"n", "axes"}, "row")
    .node("Concat", {"row", "minus"}, "to", {integer("axis", 0)})
    .node("Reshape", {"x", "to"}, "flat")
    .node("Gemm", {"flat", "fc.weight"}, "logits", {integer("transB", 1)});
  CHECK(printed(model) == "flat flatten(input)\nfc linear(flat)\n");
}

TEST_CASE("a reshape to the input's own shape is nothing", "[onnx][network]") {
  for (const auto& to :
       {list{0, 2, 6, 6}, list{-1, 2, 6, 6}, list{0, 0, 6, -1}}) {
    small_model model;
    model.with(wholes("to", to))
      .node("Reshape", {"x", "to"}, "y")
      .head("y", 72);
    CHECK(printed(model) == "flat flatten(input)\nfc linear(flat)\n");
  }
}

TEST_CASE("a reshape to another count of numbers is refused",
          "[onnx][network]") {
  for (const auto& to : {list{0, 71}, list{0, 144}, list{-1, -1}, list{0, -2},
                         list{0, 2, 0, 0, 0}, list{5, 72}, list{72}, list{}}) {
    small_model model;
    model.with(wholes("to", to))
      .node("Reshape", {"x", "to"}, "y")
      .head("y", 72);
    INFO(failure_of(model));
    CHECK(failure_of(model).starts_with("x.onnx: node 'y' (Reshape): wanted"));
  }
}

TEST_CASE("a fixed batch may be written out in a reshape", "[onnx][network]") {
  small_model model;
  model.made.inputs[0].dims[0] = 5;
  model.with(wholes("to", {5, 72})).node("Reshape", {"x", "to"}, "y");
  model.head("y", 72);
  CHECK(printed(model) == "y flatten(input)\nfc linear(y)\n");
}

TEST_CASE("zeros of a Pad become padding of what takes them",
          "[onnx][network]") {
  const auto padded = [](const std::string& op,
                         std::vector<onnx_attribute> with) {
    small_model model;
    model.with(wholes("pads", {0, 0, 1, 1, 0, 0, 1, 1}))
      .with(reals("conv.weight", {2, 2, 3, 3}))
      .node("Pad", {"x", "pads"}, "around", {text("mode", "constant")});
    if (op == "Conv")
      model.node(op, {"around", "conv.weight"}, "y", std::move(with));
    else
      model.node(op, {"around"}, "y", std::move(with));
    model.head("y", 72);
    return model;
  };
  CHECK(setting(padded("Conv", {}), "conv", "padding")
        == attribute{list{1, 1}});
  const auto pool = padded("AveragePool", {ints("kernel_shape", {3, 3})});
  CHECK(setting(pool, "y", "padding") == attribute{list{1, 1}});
  CHECK(setting(pool, "y", "count_include_pad") == attribute{true});
  CHECK(failure_of(padded("MaxPool", {ints("kernel_shape", {3, 3})}))
        == "x.onnx: node 'y' (MaxPool): input 0: is padded by a Pad, which "
           "only a Conv or an AveragePool takes in");
  CHECK(failure_of(padded("AveragePool", {ints("kernel_shape", {3, 3}),
                                          integer("ceil_mode", 1)}))
          .ends_with("ceil_mode = 1 or padding of its own"));
}

TEST_CASE("padding that auto_pad asks for is computed where it is even",
          "[onnx][network]") {
  CHECK(setting(convolution({text("auto_pad", "SAME_UPPER")}, 144), "conv",
                "padding")
        == attribute{list{1, 1}});
  CHECK(failure_of(convolution(
          {text("auto_pad", "SAME_UPPER"), ints("strides", {2, 2})}, 36))
        == "x.onnx: node 'y' (Conv): auto_pad: wanted as much padding at both "
           "sides, needs 1 in all");
}

TEST_CASE("attributes that cannot be are refused by name", "[onnx][network]") {
  const std::string at = "x.onnx: node 'y' (Conv): ";
  const auto of = [&](std::vector<onnx_attribute> with) {
    return failure_of(convolution(std::move(with), 144));
  };
  CHECK(of({ints("pads", {-1, 0, -1, 0})})
        == at + "pads: wanted numbers from 0 to 65536, got [-1, 0, -1, 0]");
  CHECK(of({ints("pads", {0, 0, 1, 1})})
        == at + "pads: wanted as much at both sides, got [0, 0, 1, 1]");
  CHECK(of({ints("pads", {1, 1})})
        == at + "pads: wanted 4 numbers, of a 2-D image, got [1, 1]");
  CHECK(of({ints("strides", {0, 1})})
        == at + "strides: wanted two whole numbers from 1 to 65536");
  CHECK(of({integer("pads", 1)}) == at + "pads: wanted whole numbers");
  CHECK(of({ints("kernel_shape", {5, 5})})
        == at + "kernel_shape: wanted the weight's, [4, 2, 3, 3], got [5, 5]");
  CHECK(of({integer("groups", 1)})
        == at + "attribute 'groups' is not imported");
  CHECK(of({integer("group", 3)}).starts_with(at + "conv2d: "));
}

TEST_CASE("an op that is not known is refused by the node's name and type",
          "[onnx][network]") {
  small_model model;
  model.node("Erf", {"x"}, "y").head("y", 72);
  CHECK(failure_of(model) == "x.onnx: node 'y' (Erf): this op is not imported");
  model.made.nodes[0].domain = "com.microsoft";
  CHECK(failure_of(model)
        == "x.onnx: node 'y' (Erf): its domain 'com.microsoft' is not "
           "imported");
}

TEST_CASE("a softmax after the logits is refused with what to do",
          "[onnx][network]") {
  small_model model;
  model.head("x", 72);
  model.made.nodes.back().outputs[0] = "raw";
  model.node("Softmax", {"raw"}, "logits", {integer("axis", 1)});
  CHECK(failure_of(model)
        == "x.onnx: node 'logits' (Softmax): this op is not imported; the loss "
           "takes the softmax itself, so export the network without it");
}

TEST_CASE("nodes that the output does not need may be of any op",
          "[onnx][network]") {
  small_model model;
  model.node("Erf", {"x"}, "unused").head("x", 72);
  CHECK(failure_of(model).empty());
}

TEST_CASE("a cycle, a missing value and a second maker are refused",
          "[onnx][network]") {
  small_model cycle;
  cycle.node("Relu", {"b"}, "a").node("Relu", {"a"}, "b").head("b", 72);
  CHECK(failure_of(cycle)
        == "x.onnx: node 'a' (Relu): input 'b': is no initializer, and no node "
           "before it makes it");
  small_model twice;
  twice.node("Relu", {"x"}, "a").node("Relu", {"x"}, "a").head("a", 72);
  CHECK(failure_of(twice)
        == "x.onnx: node 'a' (Relu): output 'a': is there twice");
  small_model none;
  CHECK(failure_of(none) == "x.onnx: output 'logits': no node makes it");
}

TEST_CASE("weights that two nodes share are refused", "[onnx][network]") {
  small_model model;
  model.with(reals("conv.weight", {2, 2, 1, 1}))
    .node("Conv", {"x", "conv.weight"}, "a")
    .node("Conv", {"a", "conv.weight"}, "b")
    .head("b", 72);
  CHECK(failure_of(model)
        == "x.onnx: node 'b' (Conv): parameter 'conv.weight' is another node's "
           "too; weights that nodes share are not supported");
}

TEST_CASE("one tensor under several names starts several parameters",
          "[onnx][network]") {
  small_model model;
  model.with(reals("one.weight", {2, 2, 1, 1}))
    .node("Identity", {"one.weight"}, "two.weight")
    .node("Conv", {"x", "one.weight"}, "a")
    .node("Conv", {"a", "two.weight"}, "b")
    .head("b", 72);
  const auto read = imported(model);
  REQUIRE(read);
  CHECK(read->values_of("one.weight") == read->values_of("two.weight"));
}

TEST_CASE("the job and the file must agree", "[onnx][network]") {
  small_model model;
  model.head("x", 72);
  auto as = options;
  as.classes = 10;
  CHECK(failure_of(model, as)
        == "x.onnx: output 'logits': has 3 classes, and the job's "
           "model.classes is 10");
  as = options;
  as.width = 8;
  CHECK(failure_of(model, as)
        == "x.onnx: input 'x' is [N, C, H, W] = [-1, 2, 6, 6], and the job's "
           "model.image is [height, width, channels] = [6, 8, 2]");
  model.made.inputs[0].dims = {-1, -1, -1, -1};
  CHECK(failure_of(model, options).empty());
}

TEST_CASE("other opsets, inputs and outputs are refused", "[onnx][network]") {
  small_model model;
  model.head("x", 72);
  auto changed = model;
  changed.made.opset = 9;
  CHECK(failure_of(changed) == "x.onnx: wanted an opset from 11 to 17, got 9");
  changed = model;
  changed.made.inputs.push_back({"y", onnx_element::f32, {1}});
  CHECK(failure_of(changed) == "x.onnx: wanted one input, got 2");
  changed = model;
  changed.made.inputs[0].dims = {-1, 72};
  CHECK(failure_of(changed)
        == "x.onnx: input 'x': wanted an image of reals [N, C, H, W], got f32 "
           "[-1, 72]");
  changed = model;
  changed.made.outputs.push_back({"flat", onnx_element::f32, {}});
  CHECK(failure_of(changed) == "x.onnx: wanted one output, the logits, got 2");
  changed = model;
  changed.made.outputs[0].name = "x";
  CHECK(failure_of(changed)
        == "x.onnx: output 'x': wanted logits [N, classes], got [1, 2, 6, 6] "
           "for one sample");
}

TEST_CASE("a weight of another shape or type is refused by its name",
          "[onnx][network]") {
  small_model model;
  model.head("x", 71);
  CHECK(failure_of(model)
        == "x.onnx: node 'logits' (Gemm): parameter 'fc.weight': wanted shape "
           "[3, 72], got [3, 71]");
  small_model other;
  other.head("x", 72);
  other.made.initializers[1] = wholes("fc.bias", {1, 2, 3});
  CHECK(failure_of(other)
        == "x.onnx: node 'logits' (Gemm): parameter 'fc.bias': wanted reals, "
           "got i64");
}

TEST_CASE("two initializers of one name are refused", "[onnx][network]") {
  auto model = convolution({}, 64);
  model.with(model.made.initializers[0]);
  CHECK(failure_of(model)
        == "x.onnx: initializer 'conv.weight': is there twice");
}

TEST_CASE("a weight that is no finite number is refused by its name",
          "[onnx][network]") {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    auto model = convolution({}, 64);
    auto& weight = model.made.initializers[0];
    std::memcpy(weight.bytes.data() + 3 * sizeof bad, &bad, sizeof bad);
    CHECK(failure_of(model)
          == "x.onnx: node 'y' (Conv): parameter 'conv.weight': wanted finite "
             "numbers, "
             "got one that is not at index 3");
  }
}

TEST_CASE("an activation that grows beyond all memory is refused",
          "[onnx][network]") {
  small_model model;
  std::string last = "x";
  for (int i = 0; i < 300; ++i) {
    const auto name = std::to_string(i);
    model.with(reals(name + ".weight", {2, 2, 1, 1}))
      .node("Conv", {last, name + ".weight"}, name,
            {ints("pads", {65536, 65536, 65536, 65536})});
    last = name;
  }
  model.head(last, 72);
  CHECK(failure_of(model).ends_with("is too large"));
}

TEST_CASE("a dropout that drops nothing is no node", "[onnx][network]") {
  const auto dropping = [](float p) {
    small_model model;
    model.with({"p", {}, onnx_element::f32, bytes_of(std::vector<float>{p})})
      .node("Dropout", {"x", "p"}, "y")
      .head("y", 72);
    return model;
  };
  CHECK(printed(dropping(0)) == "flat flatten(input)\nfc linear(flat)\n");
  CHECK(setting(dropping(0.2F), "y", "p") == attribute{0.2});
}

TEST_CASE("a mean over pixels is a pool, and a flatten if it drops the axes",
          "[onnx][network]") {
  small_model model;
  model.with(reals("fc.weight", {3, 2}))
    .node("ReduceMean", {"x"}, "mean",
          {ints("axes", {-1, -2}), integer("keepdims", 0)})
    .node("Gemm", {"mean", "fc.weight"}, "logits", {integer("transB", 1)});
  CHECK(printed(model)
        == "mean global_avg_pool(input)\nmean_1 flatten(mean)\n"
           "fc linear(mean_1)\n");
  model.made.nodes[0].attributes[0] = ints("axes", {1, 2});
  CHECK(failure_of(model)
        == "x.onnx: node 'mean' (ReduceMean): axes: wanted [2, 3] of an image, "
           "got [1, 2] of [1, 2, 6, 6]");
}

TEST_CASE("batch norm keeps the decimals that its writer meant",
          "[onnx][network]") {
  small_model model;
  for (const auto* each :
       {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"})
    model.with(reals(each, {2}));
  model
    .node("BatchNormalization",
          {"x", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"},
          "y",
          {{"epsilon", 1e-5F}, {"momentum", 0.9F}, integer("training_mode", 1)})
    .head("y", 72);
  CHECK(setting(model, "bn", "eps") == attribute{1e-5});
  CHECK(setting(model, "bn", "momentum") == attribute{0.1});
}

TEST_CASE("a gelu that is written out is one node", "[onnx][network]") {
  const auto constant = [](const std::string& name, float value) {
    return onnx_tensor{
      name, {}, onnx_element::f32, bytes_of(std::vector<float>{value})};
  };
  small_model model;
  model.with(constant("root", std::sqrt(2.0F)))
    .with(constant("one", 1))
    .with(constant("half", 0.5F))
    .node("Div", {"x", "root"}, "a")
    .node("Erf", {"a"}, "b")
    .node("Add", {"b", "one"}, "c")
    .node("Mul", {"x", "c"}, "d")
    .node("Mul", {"d", "half"}, "e")
    .head("e", 72);
  CHECK(printed(model) == "e gelu(input)\nflat flatten(e)\nfc linear(flat)\n");
  auto other = model;
  other.made.nodes[3].inputs[0] = "root"; // times another value
  CHECK(failure_of(other) == "x.onnx: node 'd' (Mul): this op is not imported");
  other = model;
  other.made.nodes[5].inputs[0] = "b"; // the head takes a step
  CHECK(failure_of(other)
        == "x.onnx: node 'flat' (Flatten): input 0: is made by node 'b' (Erf), "
           "which is only imported as a step of a gelu, a layer norm or an "
           "attention");
}

TEST_CASE("a layer norm that is written out is one node, with its eps",
          "[onnx][network]") {
  small_model model;
  const auto last = std::vector<onnx_attribute>{ints("axes", {-1})};
  model.with(reals("fc.weight", {3, 72}))
    .with(reals("ln.weight", {3}))
    .with(reals("ln.bias", {3}))
    .with({"two", {}, onnx_element::f32, bytes_of(std::vector<float>{2})})
    .with({"eps", {}, onnx_element::f32, bytes_of(std::vector<float>{1e-6F})})
    .node("Flatten", {"x"}, "flat")
    .node("Gemm", {"flat", "fc.weight"}, "y", {integer("transB", 1)})
    .node("ReduceMean", {"y"}, "mean", last)
    .node("Sub", {"y", "mean"}, "centered")
    .node("Pow", {"centered", "two"}, "squares")
    .node("ReduceMean", {"squares"}, "variance", last)
    .node("Add", {"variance", "eps"}, "sum")
    .node("Sqrt", {"sum"}, "deviation")
    .node("Div", {"centered", "deviation"}, "normal")
    .node("Mul", {"normal", "ln.weight"}, "scaled")
    .node("Add", {"scaled", "ln.bias"}, "logits");
  CHECK(printed(model)
        == "flat flatten(input)\nfc linear(flat)\nln layer_norm(fc)\n");
  CHECK(setting(model, "ln", "eps") == attribute{1e-6});
  model.made.nodes[3].inputs[1] = "y"; // minus itself
  CHECK(failure_of(model)
        == "x.onnx: node 'centered' (Sub): this op is not imported");
}
