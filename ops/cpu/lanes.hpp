/// A row of a blocked activation: the channels that lie together, as a vector.
///
/// The compiler's own vector types, so one source serves AVX2 and AVX-512.
/// Rows of 1 are plain layouts: right, and not fast.

#pragma once

#include "engine/base/dtype.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX__)
#  include <immintrin.h>
#endif

/// These vanish into loops; out of line they would go through memory.
#define PD_INLINE __attribute__((always_inline)) inline

// NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): loops fill them

namespace pd::cpu {

#if defined(__AVX512F__)
inline constexpr int register_floats = 16;
#elif defined(__AVX__)
inline constexpr int register_floats = 8;
#else
inline constexpr int register_floats = 4;
#endif

template <class T, int W>
struct register_of {
  using type [[gnu::vector_size(sizeof(T) * W)]] = T;
};
template <class T>
struct register_of<T, 1> {
  using type = T;
};

/// B floats in as few registers as hold them.
template <int B>
struct lanes {
  static constexpr int width = std::min(B, register_floats);
  static constexpr int parts = B / width;
  using part = typename register_of<float, width>::type;
  using word = typename register_of<std::int32_t, width>::type;

  part at[parts];

  friend PD_INLINE lanes operator+(const lanes& a, const lanes& b) {
    lanes c;
    for (int i = 0; i < parts; ++i)
      c.at[i] = a.at[i] + b.at[i];
    return c;
  }
  friend PD_INLINE lanes operator-(const lanes& a, const lanes& b) {
    lanes c;
    for (int i = 0; i < parts; ++i)
      c.at[i] = a.at[i] - b.at[i];
    return c;
  }
  friend PD_INLINE lanes operator*(const lanes& a, const lanes& b) {
    lanes c;
    for (int i = 0; i < parts; ++i)
      c.at[i] = a.at[i] * b.at[i];
    return c;
  }
};

template <int B>
PD_INLINE lanes<B> splat(float x) {
  lanes<B> c;
  for (auto& part : c.at)
    part = x - typename lanes<B>::part{};
  return c;
}

// -- bf16 --------------------------------------------------------------------

// GCC 12 takes five instructions for what AVX2 does in one or two.

template <int W, class Wide, class Half>
PD_INLINE Wide widened_words(const Half& from) {
#if defined(__AVX512F__)
  if constexpr (W == 16)
    return std::bit_cast<Wide>(
      _mm512_maskz_cvtepu16_epi32(0xffff, std::bit_cast<__m256i>(from)));
#endif
#if defined(__AVX2__)
  if constexpr (W == 8)
    return std::bit_cast<Wide>(
      _mm256_cvtepu16_epi32(std::bit_cast<__m128i>(from)));
#endif
  return __builtin_convertvector(from, Wide);
}

/// @pre every word is below 2^16
template <int W, class Half, class Wide>
PD_INLINE Half narrowed_words(const Wide& from) {
#if defined(__AVX512F__)
  if constexpr (W == 16)
    return std::bit_cast<Half>(
      _mm512_maskz_cvtepi32_epi16(0xffff, std::bit_cast<__m512i>(from)));
#endif
#if defined(__AVX2__)
  if constexpr (W == 8) {
    const auto words = std::bit_cast<__m256i>(from);
    return std::bit_cast<Half>(_mm_packus_epi32(
      _mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
#endif
  return __builtin_convertvector(from, Half);
}

/// Widens bf16 to f32: the upper half of a word.
template <int B>
PD_INLINE typename lanes<B>::part widened(const bf16* from) {
  constexpr int width = lanes<B>::width;
  using part = typename lanes<B>::part;
  if constexpr (width == 1) {
    return static_cast<float>(*from);
  } else {
    using half = typename register_of<std::uint16_t, width>::type;
    using wide = typename register_of<std::uint32_t, width>::type;
    half bits;
    std::memcpy(&bits, from, sizeof bits);
    return std::bit_cast<part>(widened_words<width, wide>(bits) << 16U);
  }
}

/// bf16{x} of every lane, as a vector of 16-bit words.
template <int W, class Part>
PD_INLINE auto narrowed(const Part& x) {
  using half = typename register_of<std::uint16_t, W>::type;
  using wide = typename register_of<std::uint32_t, W>::type;
  const auto bits = std::bit_cast<wide>(x);
  const wide even = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
  const wide quiet = (bits >> 16U) | 0x40U;
  const wide rounded = x != x ? quiet : even;
  return narrowed_words<W, half>(rounded);
}

// -- memory ------------------------------------------------------------------

template <int B>
PD_INLINE lanes<B> load(const float* from) {
  lanes<B> c;
  std::memcpy(c.at, from, sizeof c.at);
  return c;
}

template <int B>
PD_INLINE lanes<B> load(const bf16* from) {
  lanes<B> c;
  for (int i = 0; i < lanes<B>::parts; ++i)
    c.at[i] = widened<B>(from + std::ptrdiff_t{i} * lanes<B>::width);
  return c;
}

template <int B>
PD_INLINE void store(float* to, const lanes<B>& x) {
  std::memcpy(to, x.at, sizeof x.at);
}

template <int B>
PD_INLINE void store(bf16* to, const lanes<B>& x) {
  constexpr int width = lanes<B>::width;
  for (int i = 0; i < lanes<B>::parts; ++i) {
    if constexpr (width == 1) {
      to[i] = bf16{x.at[i]};
    } else {
      const auto half = narrowed<width>(x.at[i]);
      std::memcpy(&to[std::ptrdiff_t{i} * width].bits, &half, sizeof half);
    }
  }
}

/// Stores around the caches, where the machine can. Then sync_streams() before
/// another thread reads.
///
/// @pre `to` is aligned to the row.
template <int B>
PD_INLINE void stream(float* to, const lanes<B>& x) {
#if defined(__AVX512F__)
  if constexpr (lanes<B>::width == 16) {
    for (int i = 0; i < lanes<B>::parts; ++i)
      _mm512_stream_ps(to + std::ptrdiff_t{16} * i, x.at[i]);
    return;
  }
#endif
#if defined(__AVX__)
  if constexpr (lanes<B>::width == 8) {
    for (int i = 0; i < lanes<B>::parts; ++i)
      _mm256_stream_ps(to + std::ptrdiff_t{8} * i, x.at[i]);
    return;
  }
#endif
  store<B>(to, x);
}

template <int B>
PD_INLINE void stream(bf16* to, const lanes<B>& x) {
#if defined(__AVX512F__)
  if constexpr (lanes<B>::width == 16) {
    for (int i = 0; i < lanes<B>::parts; ++i)
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to) + i,
                          std::bit_cast<__m256i>(narrowed<16>(x.at[i])));
    return;
  }
#endif
#if defined(__AVX__)
  if constexpr (lanes<B>::width == 8) {
    for (int i = 0; i < lanes<B>::parts; ++i)
      _mm_stream_si128(reinterpret_cast<__m128i*>(to) + i,
                       std::bit_cast<__m128i>(narrowed<8>(x.at[i])));
    return;
  }
#endif
  store<B>(to, x);
}

PD_INLINE void sync_streams() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

// -- ReLU and its mask -------------------------------------------------------

/// Lanes below 0 become 0; a NaN stays a NaN.
template <int B>
PD_INLINE lanes<B> relu(lanes<B> x) {
  for (auto& part : x.at)
    part = part < 0.0F ? typename lanes<B>::part{} : part;
  return x;
}

/// `g`, and 0 where z is not above `least`; kept where z is a NaN.
template <int B>
PD_INLINE lanes<B> masked(lanes<B> g, const lanes<B>& z,
                          const lanes<B>& least) {
  for (int i = 0; i < lanes<B>::parts; ++i)
    g.at[i] = z.at[i] <= least.at[i] ? typename lanes<B>::part{} : g.at[i];
  return g;
}

/// The gradient `g` through a ReLU that gave, or took, `z`.
template <int B>
PD_INLINE lanes<B> masked(const lanes<B>& g, const lanes<B>& z) {
  return masked<B>(g, z, lanes<B>{});
}

/// Lanes below 0 become 0, those above 6 become 6; a NaN stays a NaN.
template <int B>
PD_INLINE lanes<B> relu6(lanes<B> x) {
  const auto most = splat<B>(6);
  x = relu<B>(x);
  for (int i = 0; i < lanes<B>::parts; ++i)
    x.at[i] = x.at[i] > most.at[i] ? most.at[i] : x.at[i];
  return x;
}

/// The gradient `g` through a ReLU6 that gave, or took, `z`.
template <int B>
PD_INLINE lanes<B> masked6(lanes<B> g, const lanes<B>& z) {
  const auto most = splat<B>(6);
  g = masked<B>(g, z);
  for (int i = 0; i < lanes<B>::parts; ++i)
    g.at[i] = z.at[i] >= most.at[i] ? typename lanes<B>::part{} : g.at[i];
  return g;
}

/// One bit a lane.
template <int B>
using lane_bits =
  std::conditional_t<B == 32, std::uint32_t,
                     std::conditional_t<B == 16, std::uint16_t, std::uint8_t>>;

/// One bit a lane of a register: masked() would keep it.
template <int W, class Part>
PD_INLINE unsigned part_bits(const Part& z) {
  if constexpr (W == 1)
    return z <= 0.0F ? 0U : 1U;
#if defined(__AVX512F__)
  if constexpr (W == 16)
    return _mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_NLE_UQ);
#endif
#if defined(__AVX__)
  if constexpr (W == 8)
    return static_cast<unsigned>(
      _mm256_movemask_ps(_mm256_cmp_ps(z, _mm256_setzero_ps(), _CMP_NLE_UQ)));
#endif
  unsigned bits = 0;
  if constexpr (W == 4)
    for (int l = 0; l < W; ++l)
      bits |= (z[l] <= 0.0F ? 0U : 1U) << static_cast<unsigned>(l);
  return bits;
}

/// Bit i: masked() would keep lane i.
template <int B>
PD_INLINE lane_bits<B> mask_bits(const lanes<B>& z) {
  constexpr int width = lanes<B>::width;
  unsigned bits = 0;
  for (int i = 0; i < lanes<B>::parts; ++i)
    bits |= part_bits<width>(z.at[i]) << static_cast<unsigned>(i * width);
  return static_cast<lane_bits<B>>(bits);
}

/// Lanes whose bit is not set become 0.
template <int B>
PD_INLINE lanes<B> masked(lanes<B> g, lane_bits<B> bits) {
  constexpr int width = lanes<B>::width;
  for (int i = 0; i < lanes<B>::parts; ++i) {
    const auto own = static_cast<std::int32_t>(bits) >> (i * width);
    if constexpr (width == 1) {
      g.at[i] = (own & 1) != 0 ? g.at[i] : 0.0F;
    } else {
      typename lanes<B>::word place;
      for (int l = 0; l < width; ++l)
        place[l] = 1 << l;
      g.at[i] = (place & own) != 0 ? g.at[i] : typename lanes<B>::part{};
    }
  }
  return g;
}

} // namespace pd::cpu

// NOLINTEND(cppcoreguidelines-pro-type-member-init)
