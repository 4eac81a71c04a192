/// The arithmetic of shapes that exporters write: Shape, Gather, Unsqueeze,
/// Concat, ... in front of a Reshape. It is done here, once, on numbers of
/// which one may be the batch, which nobody knows yet.

#pragma once

#include "engine/base/shape.hpp"
#include "engine/onnx/onnx_value.hpp"

#include <optional>
#include <vector>

namespace pd {

/// The node's output if its inputs are numbers and it is arithmetic of shapes;
/// empty if it is another kind of node. What is beyond numbers here (a product
/// with the batch) is unknown, and an error only if somebody takes it.
///
/// Errors: bad_value if its attributes or inputs do not fit together.
[[nodiscard]] result<std::optional<onnx_numbers>>
fold(const onnx_node& at, const std::vector<onnx_value>& inputs);

/// Of the node Shape: the extents of an activation, the first one the batch.
[[nodiscard]] result<onnx_numbers> fold_shape(const onnx_node& at,
                                              const shape& of);

} // namespace pd
