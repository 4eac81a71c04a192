#include "engine/base/assert.hpp"
#include "engine/base/dtype.hpp"
#include "engine/onnx/onnx_model.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace pd {

namespace {

/// IEEE 754 binary16: 5 bits of exponent, 10 of mantissa.
float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10U) & 0x1f;
  const auto mantissa = static_cast<float>(bits & 0x3ffU);
  float size = 0;
  if (exponent == 0x1f)
    size = mantissa == 0 ? std::numeric_limits<float>::infinity()
                         : std::numeric_limits<float>::quiet_NaN();
  else if (exponent == 0)
    size = std::ldexp(mantissa, -24);
  else
    size = std::ldexp(mantissa + 1024, exponent - 25);
  return (bits & 0x8000U) != 0 ? -size : size;
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

/// Each element of `from`, stored as a `Stored`, made a `To` by `convert`.
template <class To, class Stored, class Convert>
std::vector<To> converted(const onnx_tensor& from, Convert convert) {
  std::vector<To> made(from.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < made.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, from.bytes.data() + i * sizeof stored, sizeof stored);
    made[i] = convert(stored);
  }
  return made;
}

/// One line: cut if it is long, "?" for what is no plain character.
std::string plain(std::string_view name) {
  constexpr std::size_t most = 120;
  std::string made{name.substr(0, most)};
  std::ranges::replace_if(
    made, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return made + (name.size() > most ? "..." : "");
}

} // namespace

std::size_t size_bytes(onnx_element type) {
  switch (type) {
  case onnx_element::f64:
  case onnx_element::i64:
    return 8;
  case onnx_element::f32:
  case onnx_element::i32:
    return 4;
  case onnx_element::f16:
  case onnx_element::bf16:
    return 2;
  case onnx_element::flag:
    return 1;
  default:
    return 0;
  }
}

const char* to_string(onnx_element type) {
  constexpr const char* names[]{"f32", "f64", "f16",  "bf16",
                                "i64", "i32", "bool", "another type"};
  return names[static_cast<std::size_t>(type)];
}

bool is_real(onnx_element type) {
  return type == onnx_element::f32 || type == onnx_element::f64
         || type == onnx_element::f16 || type == onnx_element::bf16;
}

std::int64_t onnx_tensor::elems() const {
  const auto size = size_bytes(type);
  return size == 0 ? 0 : static_cast<std::int64_t>(bytes.size() / size);
}

std::vector<float> to_reals(const onnx_tensor& from) {
  PD_ASSERT(is_real(from.type));
  const auto cast = [](auto x) { return static_cast<float>(x); };
  if (from.type == onnx_element::f64)
    return converted<float, double>(from, cast);
  if (from.type == onnx_element::f16)
    return converted<float, std::uint16_t>(from, half_to_float);
  if (from.type == onnx_element::bf16)
    return converted<float, std::uint16_t>(from, bf16_to_float);
  return converted<float, float>(from, cast);
}

std::vector<std::int64_t> to_integers(const onnx_tensor& from) {
  const auto cast = [](auto x) { return static_cast<std::int64_t>(x); };
  if (from.type == onnx_element::i64)
    return converted<std::int64_t, std::int64_t>(from, cast);
  if (from.type == onnx_element::i32)
    return converted<std::int64_t, std::int32_t>(from, cast);
  PD_ASSERT(from.type == onnx_element::flag);
  return converted<std::int64_t, std::uint8_t>(from, cast);
}

std::string shown(std::string_view name) {
  return "'" + plain(name) + "'";
}

std::string shown(const onnx_node& at) {
  const auto of = " (" + plain(at.op) + ")";
  if (!at.name.empty() || at.outputs.empty())
    return "node " + shown(at.name) + of;
  return "the node of output " + shown(at.outputs[0]) + of;
}

} // namespace pd
