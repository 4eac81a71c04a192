/// What exporters write as many nodes and is one op here: a gelu, a layer norm,
/// and a transformer's way from an image to tokens and through an attention.
///
/// Node by node: each step of a pattern is an onnx_pending, and the last one
/// adds the node of the network. So nothing is searched for, and a pattern that
/// ends halfway is known by the node that should have gone on.

#pragma once

#include "engine/onnx/onnx_ops.hpp"

#include <optional>

namespace pd {

/// A step of a pattern; empty if this node is none, and is to be imported like
/// any other. Errors: as of an onnx_importer.
[[nodiscard]] result<std::optional<onnx_value>>
import_step(const onnx_call& call);

/// The extents of a pending value; empty if nobody asks for such a one's.
[[nodiscard]] std::optional<onnx_numbers> extents_of(const onnx_pending& at,
                                                     const onnx_builder& in);

} // namespace pd
