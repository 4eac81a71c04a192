#include "engine/base/assert.hpp"
#include "engine/base/dtype.hpp"
#include "engine/onnx/onnx_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace pd {

namespace {

/// binary16, as it lies in a file.
struct half {
  std::uint16_t bits;
  explicit operator float() const { return half_to_float(bits); }
};

template <class Stored>
Stored element(const onnx_tensor& from, std::size_t i) {
  Stored stored{};
  std::memcpy(&stored, from.bytes.data() + i * sizeof stored, sizeof stored);
  return stored;
}

/// Each element of `from`, stored as a `Stored`, made a `To`.
template <class To, class Stored>
std::vector<To> converted(const onnx_tensor& from) {
  std::vector<To> made(from.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < made.size(); ++i)
    made[i] = static_cast<To>(element<Stored>(from, i));
  return made;
}

template <class Stored>
std::int64_t not_finite_in(const onnx_tensor& from) {
  std::size_t i = 0;
  const auto elems = from.bytes.size() / sizeof(Stored);
  while (i < elems
         && std::isfinite(static_cast<float>(element<Stored>(from, i))))
    ++i;
  return static_cast<std::int64_t>(i);
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
  switch (from.type) {
  case onnx_element::f64:
    return converted<float, double>(from);
  case onnx_element::f16:
    return converted<float, half>(from);
  case onnx_element::bf16:
    return converted<float, bf16>(from);
  default:
    return converted<float, float>(from);
  }
}

std::int64_t first_not_finite(const onnx_tensor& from) {
  PD_ASSERT(is_real(from.type));
  switch (from.type) {
  case onnx_element::f64:
    return not_finite_in<double>(from);
  case onnx_element::f16:
    return not_finite_in<half>(from);
  case onnx_element::bf16:
    return not_finite_in<bf16>(from);
  default:
    return not_finite_in<float>(from);
  }
}

std::vector<std::int64_t> to_integers(const onnx_tensor& from) {
  if (from.type == onnx_element::i64)
    return converted<std::int64_t, std::int64_t>(from);
  if (from.type == onnx_element::i32)
    return converted<std::int64_t, std::int32_t>(from);
  PD_ASSERT(from.type == onnx_element::flag);
  return converted<std::int64_t, std::uint8_t>(from);
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
