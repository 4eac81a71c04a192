/// What each op of ONNX becomes: the table of docs/onnx.md.

#pragma once

#include "engine/onnx/onnx_attributes.hpp"
#include "engine/onnx/onnx_builder.hpp"

#include <optional>
#include <string>
#include <vector>

namespace pd {

/// A node of the file, with what stands behind the names of its inputs.
struct onnx_call {
  const onnx_node& at;
  std::vector<onnx_value> inputs;
  onnx_builder& to;
  std::int64_t opset = 0;
  std::int64_t batch = -1; ///< that the file fixes; -1: open
  std::vector<int> takers; ///< nodes that take each input; this is one

  /// Without a value if it was left out.
  [[nodiscard]] const onnx_value& input(std::size_t index) const;
};

/// Adds what a node becomes, and returns what stands behind its first output.
/// Errors: bad_value, bad_shape, not_supported, without the node's name.
using onnx_importer = result<onnx_value> (*)(const onnx_call&);

/// Null if there is none for this op.
[[nodiscard]] onnx_importer find_importer(const std::string& op);

/// What an op that is refused could be instead: "; ..." or "".
[[nodiscard]] std::string advice_on(const std::string& op);

} // namespace pd
