/// Reads and writes graph files (docs/graph-file.md): any network of the ops.
///
///     [[node]]
///     name = "conv1"
///     op = "conv2d"
///     inputs = ["input"]     # default: the node before
///     out_channels = 8       # the rest are the op's settings
///
/// The values from outside, "input" and "labels", are not in the file. A file
/// whose last node is no softmax_loss gets one, "loss".

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/image_transform.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/registry.hpp"

#include <string>
#include <string_view>

namespace pd {

/// Reads a graph for images of `image`. "input" is the first node, "labels"
/// stands before the first node that takes it.
///
/// Errors: io; bad_file, bad_value, unknown_name with "path:line: ", the node
/// and what is wrong with it. Without `ops` the names and settings of the ops
/// are infer()'s to check, as the shapes always are.
[[nodiscard]] result<graph> load_graph(const std::string& path,
                                       const image_extents& image,
                                       const registry* ops = nullptr);

/// The same from memory. `path` need not exist.
[[nodiscard]] result<graph> parse_graph(std::string_view text,
                                        const std::string& path,
                                        const image_extents& image,
                                        const registry* ops = nullptr);

/// The graph as a file. parse_graph reads it back equal, if "input" and
/// "labels" stand where it puts them.
[[nodiscard]] std::string print_graph(const graph& from);

} // namespace pd
