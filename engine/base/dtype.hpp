/// Element types of a tensor, and bfloat16 as a number.

#pragma once

#include "engine/base/error.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace pd {

/// What an element of a tensor is.
enum class dtype : std::uint8_t { f32, bf16, i32, i64, u8 };

/// "f32", "bf16", "i32", "i64", "u8".
[[nodiscard]] const char* to_string(dtype type);

/// The reverse of to_string. Errors: unknown_name.
[[nodiscard]] result<dtype> parse_dtype(const std::string& name);

/// Bytes of one element.
[[nodiscard]] constexpr std::size_t size_bytes(dtype type) {
  switch (type) {
  case dtype::u8:
    return 1;
  case dtype::bf16:
    return 2;
  case dtype::i64:
    return 8;
  default:
    return 4;
  }
}

/// The upper half of a float32: 8 bits of exponent, 7 of mantissa.
struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  /// Rounds to nearest, ties to even; a NaN stays a NaN.
  explicit bf16(float x) {
    const auto wide = std::bit_cast<std::uint32_t>(x);
    const bool is_nan = (wide & 0x7fffffffU) > 0x7f800000U;
    const auto rounded = (wide + 0x7fffU + ((wide >> 16U) & 1U)) >> 16U;
    bits = static_cast<std::uint16_t>(is_nan ? (wide >> 16U) | 0x40U : rounded);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
};

/// IEEE 754 binary16 (5 bits of exponent, 10 of mantissa) as a float: exact.
[[nodiscard]] float half_to_float(std::uint16_t bits);

/// The dtype of a C++ element type.
template <class T>
inline constexpr dtype dtype_of = dtype::f32;
template <>
inline constexpr dtype dtype_of<bf16> = dtype::bf16;
template <>
inline constexpr dtype dtype_of<std::int32_t> = dtype::i32;
template <>
inline constexpr dtype dtype_of<std::int64_t> = dtype::i64;
template <>
inline constexpr dtype dtype_of<std::uint8_t> = dtype::u8;

} // namespace pd
