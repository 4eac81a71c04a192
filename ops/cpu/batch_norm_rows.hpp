/// The loops of batch normalization over rows that lie together. All that is
/// not a sum over rows is done outside (batch_norm.cpp).
///
/// With K a number near the channel's mean, every formula is in x - K, which
/// is exact where x is near its mean: so a mean far above the deviation costs
/// no accuracy.
///
///     z = (x - K) scale + shift (+ residual);  y = z, relu(z) or relu6(z)
///     dz = dy, or 0 where that cut z off
///     dx = dz scale + ((x - K) slope + level)

#pragma once

#include "ops/cpu/lanes.hpp"

namespace pd::cpu {

/// What is fused behind a batch norm.
enum class norm_clip : std::uint8_t { none, relu, relu6 };

/// Where the mask of a fused ReLU comes from in backward.
enum class relu_mask : std::uint8_t {
  none,
  from_input,   ///< z is computed again
  from_input_6, ///< likewise, of a ReLU6
  from_bits,    ///< forward wrote them: z had a residual, which is not stashed
};

/// One channel block's numbers; a pointer to the first channel of each.
struct norm_channels {
  const float* center; ///< K
  const float* scale;
  const float* shift;
  const float* slope; ///< backward only
  const float* level; ///< backward only
};

/// Some rows, at the first of them.
template <class T, int B>
struct norm_rows {
  std::int64_t rows = 0;
  std::int64_t step = B; ///< elements from a row to the next
  const T* x = nullptr;
  const T* residual = nullptr;
  T* y = nullptr;
  lane_bits<B>* bits = nullptr;
  const T* dy = nullptr;
  const T* other_dy = nullptr;
  T* dz = nullptr; ///< may be dy
  T* dx = nullptr; ///< may be dy
};

/// Two sums over some rows, by channel.
template <int B>
struct row_sums {
  alignas(64) float first[B] = {};
  alignas(64) float second[B] = {};
  std::int64_t rows = 0;
};

/// Sums of rows in several chains, since an addition waits for the one before.
template <int B>
class row_adder {
public:
  PD_INLINE void add(int chain, const lanes<B>& a, const lanes<B>& b) {
    first_[chain] = first_[chain] + a;
    second_[chain] = second_[chain] + b;
  }

  PD_INLINE void add_to(row_sums<B>& sums, std::int64_t rows) const {
    add_to(sums.first, first_);
    add_to(sums.second, second_);
    sums.rows += rows;
  }

  static constexpr int chains = 4;

private:
  PD_INLINE static void add_to(float* sum, const lanes<B> (&x)[chains]) {
    store<B>(sum, load<B>(sum) + ((x[0] + x[1]) + (x[2] + x[3])));
  }

  lanes<B> first_[chains] = {};
  lanes<B> second_[chains] = {};
};

/// Calls add_row(row, chain), chains in turn.
template <int Chains, class F>
PD_INLINE void for_rows(std::int64_t rows, F&& add_row) {
  std::int64_t i = 0;
  for (; i + Chains <= rows; i += Chains)
#pragma GCC unroll 8
    for (int chain = 0; chain < Chains; ++chain)
      add_row(i + chain, chain);
  for (; i < rows; ++i)
    add_row(i, 0);
}

/// Adds x - K and its square.
template <class T, int B>
void sum_values(const norm_rows<T, B>& at, const float* center,
                row_sums<B>& to) {
  const auto k = load<B>(center);
  row_adder<B> sums;
  for_rows<row_adder<B>::chains>(at.rows, [&](std::int64_t i, int chain) {
    const auto d = load<B>(at.x + i * at.step) - k;
    sums.add(chain, d, d * d);
  });
  sums.add_to(to, at.rows);
}

/// One bit a lane: neither end of the clip cuts z off.
template <norm_clip Clip, int B>
PD_INLINE lane_bits<B> kept_bits(const lanes<B>& z) {
  const auto bits = mask_bits<B>(z);
  if constexpr (Clip == norm_clip::relu6)
    return static_cast<lane_bits<B>>(bits & mask_bits<B>(splat<B>(6) - z));
  else
    return bits;
}

template <norm_clip Clip, int B>
PD_INLINE lanes<B> clipped(const lanes<B>& z) {
  if constexpr (Clip == norm_clip::relu)
    return relu<B>(z);
  else if constexpr (Clip == norm_clip::relu6)
    return relu6<B>(z);
  else
    return z;
}

template <class T, int B, bool Residual, norm_clip Clip, bool Streams>
void normalize(norm_rows<T, B> at, norm_channels by) {
  const auto k = load<B>(by.center);
  const auto scale = load<B>(by.scale);
  const auto shift = load<B>(by.shift);
  for (std::int64_t i = 0; i < at.rows; ++i) {
    auto z = (load<B>(at.x + i * at.step) - k) * scale + shift;
    if constexpr (Residual)
      z = z + load<B>(at.residual + i * at.step);
    if constexpr (Residual && Clip != norm_clip::none)
      at.bits[i] = kept_bits<Clip, B>(z);
    z = clipped<Clip, B>(z);
    if constexpr (Streams)
      stream<B>(at.y + i * at.step, z);
    else
      store<B>(at.y + i * at.step, z);
  }
}

/// dz of row i. d: x - K.
template <relu_mask Mask, class T, int B>
PD_INLINE lanes<B> through_relu(const lanes<B>& dy, const lanes<B>& d,
                                const norm_rows<T, B>& at, std::int64_t i,
                                const lanes<B>& scale, const lanes<B>& shift) {
  if constexpr (Mask == relu_mask::from_input)
    return masked<B>(dy, d * scale, splat<B>(0) - shift); // z <= 0, exactly
  else if constexpr (Mask == relu_mask::from_input_6)
    return masked6<B>(dy, d * scale + shift);
  else if constexpr (Mask == relu_mask::from_bits)
    return masked<B>(dy, at.bits[i]);
  else
    return dy;
}

/// Adds dz and dz (x - K); writes dz if asked to.
template <class T, int B, relu_mask Mask, bool Other, bool Writes>
void sum_grads(norm_rows<T, B> at, norm_channels by, row_sums<B>& to) {
  const auto k = load<B>(by.center);
  const auto scale = load<B>(by.scale);
  const auto shift = load<B>(by.shift);
  row_adder<B> sums;
  for_rows<row_adder<B>::chains>(at.rows, [&](std::int64_t i, int chain) {
    auto g = load<B>(at.dy + i * at.step);
    if constexpr (Other)
      g = g + load<B>(at.other_dy + i * at.step);
    const auto d = load<B>(at.x + i * at.step) - k;
    g = through_relu<Mask>(g, d, at, i, scale, shift);
    if constexpr (Writes)
      store<B>(at.dz + i * at.step, g);
    sums.add(chain, g, g * d);
  });
  sums.add_to(to, at.rows);
}

/// dx from dy; Mask: none if dy is dz.
template <class T, int B, relu_mask Mask, bool Streams>
void differentiate(norm_rows<T, B> at, norm_channels by) {
  const auto k = load<B>(by.center);
  const auto scale = load<B>(by.scale);
  const auto shift = load<B>(by.shift);
  const auto slope = load<B>(by.slope);
  const auto level = load<B>(by.level);
  for (std::int64_t i = 0; i < at.rows; ++i) {
    const auto d = load<B>(at.x + i * at.step) - k;
    const auto g =
      through_relu<Mask>(load<B>(at.dy + i * at.step), d, at, i, scale, shift);
    const auto dx = g * scale + (d * slope + level);
    if constexpr (Streams)
      stream<B>(at.dx + i * at.step, dx);
    else
      store<B>(at.dx + i * at.step, dx);
  }
}

} // namespace pd::cpu
