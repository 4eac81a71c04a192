/// A network as an ONNX file has it (docs/onnx.md): a graph of our ops, and the
/// values that its parameters start from.

#pragma once

#include "engine/graph/graph.hpp"
#include "engine/graph/registry.hpp"
#include "engine/onnx/onnx_value.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace pd {

/// What a job says of its network, and the file must agree with.
struct onnx_options {
  std::int64_t classes = 10;
  std::int64_t height = 28;
  std::int64_t width = 28;
  std::int64_t channels = 1;
};

struct onnx_network {
  graph net; ///< loss included
  /// By the parameter's name ("conv1.weight"); what is not here (a counter of
  /// batches) starts as its op says.
  std::map<std::string, onnx_constant> parameters;
  std::shared_ptr<const onnx_model> model; ///< owns what they point to

  /// The values of one parameter in our layout. @pre it is in `parameters`
  [[nodiscard]] std::vector<float> values_of(const std::string& name) const;
};

/// Errors: io; bad_file if it is no ONNX file; bad_value, bad_shape,
/// not_supported with the path, the node's name and its type.
[[nodiscard]] result<onnx_network> load_onnx(const std::string& path,
                                             const onnx_options& options,
                                             const registry& ops);

/// The same from memory. `path` need not exist.
[[nodiscard]] result<onnx_network> parse_onnx(std::string_view bytes,
                                              const std::string& path,
                                              const onnx_options& options,
                                              const registry& ops);

/// The same of a file that was read. `path` names the network.
[[nodiscard]] result<onnx_network> import_onnx(onnx_model from,
                                               const std::string& path,
                                               const onnx_options& options,
                                               const registry& ops);

/// True if a file of this name is taken for an ONNX file: it ends in ".onnx".
[[nodiscard]] bool is_onnx_path(const std::string& path);

} // namespace pd
