#include "ops/cpu/convert.hpp"

#include "engine/base/assert.hpp"

#include <cstring>

namespace pd::cpu {

// The loops are on bits, so that the compiler vectorizes them.

void widen(const bf16* from, float* to, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    to[i] =
      std::bit_cast<float>(static_cast<std::uint32_t>(from[i].bits) << 16U);
}

namespace {

/// bf16{x}.bits, without a branch.
std::uint16_t rounded(float x) {
  const auto wide = std::bit_cast<std::uint32_t>(x);
  const auto even = (wide + 0x7fffU + ((wide >> 16U) & 1U)) >> 16U;
  const auto quiet = (wide >> 16U) | 0x40U;
  const bool is_nan = (wide & 0x7fffffffU) > 0x7f800000U;
  return static_cast<std::uint16_t>(is_nan ? quiet : even);
}

} // namespace

void narrow(const float* from, bf16* to, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    to[i].bits = rounded(from[i]);
}

void convert(dtype from_type, const void* from, dtype to_type, void* to,
             std::int64_t elems) {
  if (from_type == to_type)
    std::memcpy(to, from,
                static_cast<std::size_t>(elems) * size_bytes(to_type));
  else if (to_type == dtype::f32)
    widen(static_cast<const bf16*>(from), static_cast<float*>(to), elems);
  else
    narrow(static_cast<const float*>(from), static_cast<bf16*>(to), elems);
}

void multiply_by(float* x, const float* factor, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    x[i] *= factor[i];
}

void add_to(float* sum, const float* x, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    sum[i] += x[i];
}

namespace {

void mask_f32(const float* y, float* dy, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    dy[i] = y[i] <= 0 ? 0.0F : dy[i];
}

/// As signed whole numbers: a bf16 above 0 has the bits of a positive one.
void mask_bf16(const std::int16_t* y, std::int16_t* dy, std::int64_t elems) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < elems; ++i)
    dy[i] = y[i] > 0 ? dy[i] : std::int16_t{0};
}

} // namespace

void mask_by_positive(dtype type, const void* y, void* dy, std::int64_t elems) {
  if (type == dtype::f32)
    mask_f32(static_cast<const float*>(y), static_cast<float*>(dy), elems);
  else
    mask_bf16(static_cast<const std::int16_t*>(y),
              static_cast<std::int16_t*>(dy), elems);
}

} // namespace pd::cpu
