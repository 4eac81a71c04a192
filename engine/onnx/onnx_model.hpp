/// What an ONNX file holds, as plain data. onnx_model.cpp is the only place
/// that knows protobuf.
///
/// Invariants:
///
/// (1) A tensor's `bytes` are as many as its `dims` and `type` say.
///
/// (2) Names are the file's: any bytes. What a person reads is shown().

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pd {

/// What an element is; `other`: nothing that a network of ours is made of.
enum class onnx_element : std::uint8_t {
  f32,
  f64,
  f16,
  bf16,
  i64,
  i32,
  flag,
  other
};

/// Bytes of one element; 0 for `other`.
[[nodiscard]] std::size_t size_bytes(onnx_element type);

/// "f32" ...
[[nodiscard]] const char* to_string(onnx_element type);

[[nodiscard]] bool is_real(onnx_element type);

struct onnx_tensor {
  std::string name;
  std::vector<std::int64_t> dims; ///< none is negative
  onnx_element type = onnx_element::other;
  std::string bytes; ///< little-endian, in row order

  [[nodiscard]] std::int64_t elems() const; ///< 0 if it is of `other`
};

/// The values as float32, rounded if they are wider. @pre is_real(from.type)
[[nodiscard]] std::vector<float> to_reals(const onnx_tensor& from);

/// The place of the first value that is no finite float32; elems() if all are.
/// @pre is_real(from.type)
[[nodiscard]] std::int64_t first_not_finite(const onnx_tensor& from);

/// The values. @pre type is i64, i32 or flag
[[nodiscard]] std::vector<std::int64_t> to_integers(const onnx_tensor& from);

/// A setting of a node. Without a value: a graph, or what else has no use here.
struct onnx_attribute {
  std::string name;
  std::variant<std::monostate, std::int64_t, float, std::string,
               std::vector<std::int64_t>, std::vector<float>, onnx_tensor>
    value;
};

struct onnx_node {
  std::string name; ///< may be empty
  std::string op;
  std::string domain;
  std::vector<std::string> inputs; ///< names of values; "": left out
  std::vector<std::string> outputs;
  std::vector<onnx_attribute> attributes;
};

/// An input or output of the whole.
struct onnx_port {
  std::string name;
  onnx_element type = onnx_element::other;
  std::vector<std::int64_t> dims; ///< -1: open
};

struct onnx_model {
  std::int64_t opset = 0; ///< of the domain ai.onnx; 0: not said
  std::vector<onnx_port> inputs;
  std::vector<onnx_port> outputs;
  std::vector<onnx_node> nodes;
  std::vector<onnx_tensor> initializers;
};

/// Errors: io; bad_file if it is no whole ONNX file or a tensor breaks (1);
/// not_supported for values in another file; with the path in front.
[[nodiscard]] result<onnx_model> read_onnx_model(const std::string& path);

/// The same from memory. `path` need not exist.
[[nodiscard]] result<onnx_model> parse_onnx_model(std::string_view bytes,
                                                  const std::string& path);

/// A name for one line of text: quoted, cut if it is long, "?" for bytes that
/// are no plain character.
[[nodiscard]] std::string shown(std::string_view name);

/// "node '/conv1/Conv' (Conv)"
[[nodiscard]] std::string shown(const onnx_node& at);

} // namespace pd
