#include "engine/onnx/onnx_names.hpp"

#include <catch2/catch.hpp>

using namespace pd;

using names = std::vector<std::string>;

TEST_CASE("a path of scopes names the module, a Sequential's child once",
          "[onnx][names]") {
  CHECK(module_of("/conv1/Conv") == "conv1");
  CHECK(module_of("/layer1/layer1.0/conv1/Conv") == "layer1.0.conv1");
  CHECK(module_of("/features/features.1/conv/conv.0/conv.0.0/Conv")
        == "features.1.conv.0.0");
  CHECK(module_of("/Flatten").empty());
  CHECK(module_of("Conv_0").empty());
  CHECK(module_of("").empty());
  CHECK(module_of("/").empty());
}

TEST_CASE("who stands in a module alone has its name, others their op too",
          "[onnx][names]") {
  CHECK(name_nodes({{"/layer1/layer1.0/conv1/Conv", "Conv", "layer1.0.conv1"},
                    {"/layer1/layer1.0/relu/Relu", "Relu", ""},
                    {"/layer1/layer1.0/Add", "Add", ""},
                    {"/act/Relu", "Relu", ""},
                    {"/act/Add", "Add", ""}})
        == names{"layer1.0.conv1", "layer1.0.relu", "layer1.0.Add", "act.Relu",
                 "act.Add"});
}

TEST_CASE("parameters name their node before paths do", "[onnx][names]") {
  CHECK(name_nodes({{"/b/Relu", "Relu", ""}, {"/a/Conv", "Conv", "b"}})
        == names{"b.Relu", "b"});
}

TEST_CASE("no name comes twice, nor one of the engine's", "[onnx][names]") {
  CHECK(name_nodes({{"/input/Relu", "Relu", ""},
                    {"", "Relu", ""},
                    {"", "Relu", ""},
                    {"Conv_0", "Conv", ""},
                    {"x", "Gemm", "loss"}})
        == names{"input.Relu", "Relu", "Relu_1", "Conv_0", "loss_1"});
}

TEST_CASE("a name of any bytes becomes plain text", "[onnx][names]") {
  const auto made = name_nodes(
    {{"a b\n\xff'", "Relu", ""}, {std::string(5000, 'x'), "Relu", ""}});
  CHECK(made[0] == "a_b___");
  CHECK(made[1].size() == 200);
}
