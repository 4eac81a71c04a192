/// Models node by node, and files byte by byte, for the tests of what reads
/// them.

#pragma once

#include "engine/onnx/onnx_network.hpp"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace pd {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(T)};
}

/// 0, 1, 2, ... as float32.
inline onnx_tensor reals(const std::string& name,
                         const std::vector<std::int64_t>& dims) {
  std::int64_t elems = 1;
  for (const auto each : dims)
    elems *= each;
  std::vector<float> values;
  for (std::int64_t i = 0; i < elems; ++i)
    values.push_back(static_cast<float>(i));
  return {name, dims, onnx_element::f32, bytes_of(values)};
}

inline onnx_tensor wholes(const std::string& name,
                          const std::vector<std::int64_t>& values,
                          bool is_scalar = false) {
  onnx_tensor made{name, {}, onnx_element::i64, bytes_of(values)};
  if (!is_scalar)
    made.dims = {static_cast<std::int64_t>(values.size())};
  return made;
}

/// A model of images [N, 2, 6, 6] under the name "x" and 3 classes. Nodes are
/// called like their output.
struct small_model {
  onnx_model made{.opset = 17,
                  .inputs = {{"x", onnx_element::f32, {-1, 2, 6, 6}}},
                  .outputs = {{"logits", onnx_element::f32, {-1, 3}}},
                  .nodes = {},
                  .initializers = {}};

  small_model& node(const std::string& op, std::vector<std::string> inputs,
                    const std::string& output,
                    std::vector<onnx_attribute> settings = {}) {
    made.nodes.push_back(
      {output, op, "", std::move(inputs), {output}, std::move(settings)});
    return *this;
  }

  small_model& with(onnx_tensor initializer) {
    made.initializers.push_back(std::move(initializer));
    return *this;
  }

  /// Flattens `from`, of `features`, and makes the logits of it.
  small_model& head(const std::string& from, std::int64_t features) {
    return with(reals("fc.weight", {3, features}))
      .with(reals("fc.bias", {3}))
      .node("Flatten", {from}, "flat")
      .node("Gemm", {"flat", "fc.weight", "fc.bias"}, "logits",
            {{"transB", std::int64_t{1}}});
  }
};

inline onnx_attribute ints(const std::string& name,
                           std::vector<std::int64_t> values) {
  return {name, std::move(values)};
}

inline onnx_attribute integer(const std::string& name, std::int64_t value) {
  return {name, value};
}

inline onnx_attribute text(const std::string& name, const std::string& value) {
  return {name, value};
}

/// A message of protobuf's wire format.
struct wire {
  std::string bytes;

  wire& number(int field, std::uint64_t value) {
    put(static_cast<std::uint64_t>(field) << 3U);
    put(value);
    return *this;
  }
  wire& text(int field, const std::string& value) {
    put((static_cast<std::uint64_t>(field) << 3U) | 2U);
    put(value.size());
    bytes += value;
    return *this;
  }

private:
  void put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U)
      bytes += static_cast<char>((value & 0x7fU) | 0x80U);
    bytes += static_cast<char>(value);
  }
};

} // namespace pd
