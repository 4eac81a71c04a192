#include "engine/base/dtype.hpp"

#include <array>

namespace pd {

const char* to_string(dtype type) {
  constexpr std::array names{"f32", "bf16", "i32", "i64", "u8"};
  return names[static_cast<std::size_t>(type)];
}

result<dtype> parse_dtype(const std::string& name) {
  for (const auto type :
       {dtype::f32, dtype::bf16, dtype::i32, dtype::i64, dtype::u8})
    if (name == to_string(type))
      return type;
  return error{errc::unknown_name,
               "dtype '" + name + "': wanted f32, bf16, i32, i64 or u8"};
}

float half_to_float(std::uint16_t bits) {
  const auto sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const auto exponent = (bits >> 10U) & 0x1fU;
  const auto mantissa = static_cast<std::uint32_t>(bits & 0x3ffU);
  if (exponent == 0) { // zero or subnormal: mantissa * 2^-24
    const auto value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const auto wide = exponent == 0x1fU ? 0xffU : exponent + (127U - 15U);
  return std::bit_cast<float>(sign | (wide << 23U) | (mantissa << 13U));
}

} // namespace pd
