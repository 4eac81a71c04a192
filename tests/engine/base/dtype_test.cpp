#include "engine/base/dtype.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace pd;

namespace {

float from_bits(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}

/// The bf16 whose bits are those.
float widened(std::uint16_t bits) {
  return from_bits(static_cast<std::uint32_t>(bits) << 16U);
}

} // namespace

TEST_CASE("a dtype's name reads back", "[base][dtype]") {
  for (const auto type :
       {dtype::f32, dtype::bf16, dtype::i32, dtype::i64, dtype::u8})
    CHECK(*parse_dtype(to_string(type)) == type);
  const auto unknown = parse_dtype("f16");
  REQUIRE(!unknown);
  CHECK(unknown.failure().code == errc::unknown_name);
  CHECK(unknown.failure().message
        == "dtype 'f16': wanted f32, bf16, i32, i64 or u8");
}

TEST_CASE("a dtype has the size of its C++ type", "[base][dtype]") {
  CHECK(size_bytes(dtype_of<float>) == sizeof(float));
  CHECK(size_bytes(dtype_of<bf16>) == sizeof(bf16));
  CHECK(size_bytes(dtype_of<std::int32_t>) == sizeof(std::int32_t));
  CHECK(size_bytes(dtype_of<std::int64_t>) == sizeof(std::int64_t));
  CHECK(size_bytes(dtype_of<std::uint8_t>) == sizeof(std::uint8_t));
}

TEST_CASE("every bf16 that is a number comes back from float", "[base][bf16]") {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto x = widened(static_cast<std::uint16_t>(bits));
    if (std::isnan(x))
      continue;
    if (bf16{x}.bits != bits)
      FAIL("bits " << bits << " became " << bf16{x}.bits);
  }
}

TEST_CASE("bf16 rounds to the nearest, and ties to even", "[base][bf16]") {
  CHECK(bf16{from_bits(0x3f807fffU)}.bits == 0x3f80U); // below the middle
  CHECK(bf16{from_bits(0x3f808000U)}.bits == 0x3f80U); // a tie, down to even
  CHECK(bf16{from_bits(0x3f808001U)}.bits == 0x3f81U); // above the middle
  CHECK(bf16{from_bits(0x3f818000U)}.bits == 0x3f82U); // a tie, up to even
  CHECK(bf16{from_bits(0xbf818000U)}.bits == 0xbf82U);
  CHECK(bf16{from_bits(0x00008001U)}.bits == 0x0001U); // denormals too
}

TEST_CASE("a bf16 is the float's nearest neighbour, or further from zero by "
          "none",
          "[base][bf16]") {
  for (std::uint32_t i = 0; i < 100000; ++i) {
    const auto x = from_bits(i * 42949U + 7U);
    const double exact{x};
    if (!std::isfinite(exact) || std::abs(exact) > 3e38)
      continue;
    const auto near = bf16{x};
    const auto error = std::abs(double{static_cast<float>(near)} - exact);
    for (const int step : {-1, 1}) {
      const auto bits = static_cast<std::uint16_t>(near.bits + step);
      const double other{widened(bits)};
      if (std::isfinite(other) && std::abs(other - exact) < error)
        FAIL(exact << " became " << static_cast<float>(near) << ", not "
                   << other);
    }
  }
}

TEST_CASE("a NaN stays a NaN in bf16, also one with low bits only",
          "[base][bf16]") {
  for (const auto bits : {0x7fc00000U, 0x7f800001U, 0xff800001U, 0x7fffffffU,
                          0xffffffffU, 0x7f80ffffU})
    CHECK(std::isnan(static_cast<float>(bf16{from_bits(bits)})));
  CHECK(std::signbit(static_cast<float>(bf16{from_bits(0xff800001U)})));
}

TEST_CASE("bf16 keeps infinities, and what is too large becomes one",
          "[base][bf16]") {
  const auto inf = std::numeric_limits<float>::infinity();
  CHECK(static_cast<float>(bf16{inf}) == inf);
  CHECK(static_cast<float>(bf16{-inf}) == -inf);
  CHECK(static_cast<float>(bf16{std::numeric_limits<float>::max()}) == inf);
  CHECK(bf16{-0.0F}.bits == 0x8000U);
}

TEST_CASE("every half that is a number is the float of its formula",
          "[base][dtype]") {
  for (std::uint32_t bits = 0; bits < 0x7c00U; ++bits) {
    const auto exponent = static_cast<int>(bits >> 10U);
    const auto mantissa = static_cast<float>(bits & 0x3ffU);
    const auto wanted = exponent == 0
                          ? std::ldexp(mantissa, -24)
                          : std::ldexp(mantissa + 1024, exponent - 25);
    const auto positive = half_to_float(static_cast<std::uint16_t>(bits));
    const auto negative =
      half_to_float(static_cast<std::uint16_t>(bits | 0x8000U));
    if (positive != wanted || negative != -wanted || !std::signbit(negative))
      FAIL("bits " << bits << " became " << positive << " and " << negative);
  }
  CHECK(half_to_float(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(half_to_float(0xfc00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(half_to_float(0x7c01)));
}
