/// The names of a network's nodes: those of PyTorch's modules, where its
/// exporter left them in the file.
///
///     parameters layer1.0.conv1.weight, .bias    -> layer1.0.conv1
///     /layer1/layer1.0/conv1/Conv                -> layer1.0.conv1
///     /layer1/layer1.0/relu_1/Relu               -> layer1.0.relu_1
///     /layer1/layer1.0/Add                       -> layer1.0.Add
///     Relu_7 (exporters that write no modules)   -> Relu_7
///
/// A node without parameters is called like the module that it stands in, if
/// it stands there alone; else its op follows.

#pragma once

#include <string>
#include <vector>

namespace pd {

/// What the names of a node can be made of.
struct onnx_name_source {
  std::string node;       ///< as the file has it; may be empty
  std::string op;         ///< of the file, or what it became a part of
  std::string parameters; ///< what its parameters' names begin with; or empty
};

/// One name a node, each another, in the order of `from`. No name is one that
/// the engine itself gives ("input", "labels", "loss").
[[nodiscard]] std::vector<std::string>
name_nodes(const std::vector<onnx_name_source>& from);

/// "layer1.0.conv1" of "/layer1/layer1.0/conv1/Conv"; empty if the name is no
/// such path.
[[nodiscard]] std::string module_of(const std::string& node);

} // namespace pd
