#include "engine/data/cpu/resample_rows.hpp"

namespace pd::cpu {

namespace {

/// A pixel of four channels. Element by element it is as scalars are.
using pixel = float __attribute__((vector_size(16)));

pixel load(const float* from) {
  pixel made;
  __builtin_memcpy(&made, from, sizeof made);
  return made;
}

void begin_sum(const std::uint8_t* row, float weight, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = weight * static_cast<float>(row[i]);
}

/// Two rows a time: half the walks over `out`.
void add_rows(const std::uint8_t* one, const std::uint8_t* other,
              std::span<const float> weights, std::span<float> out) {
  const float a = weights[0];
  const float b = weights[1];
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = out[i] + a * static_cast<float>(one[i])
             + b * static_cast<float>(other[i]);
}

void add_row(const std::uint8_t* row, float weight, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = out[i] + weight * static_cast<float>(row[i]);
}

} // namespace

void sum_rows(const std::uint8_t* row, std::ptrdiff_t row_bytes,
              std::span<const float> weights, std::span<float> out) {
  begin_sum(row, weights[0], out);
  std::size_t k = 1;
  for (; k + 2 <= weights.size(); k += 2) {
    const auto* one = row + static_cast<std::ptrdiff_t>(k) * row_bytes;
    add_rows(one, one + row_bytes, weights.subspan(k, 2), out);
  }
  if (k < weights.size())
    add_row(row + static_cast<std::ptrdiff_t>(k) * row_bytes, weights[k], out);
}

void resample_colors(const float* line, const axis_weights& columns,
                     const plane_scale& scale, bool is_mirrored, float* out,
                     std::size_t plane) {
  const int width = columns.size();
  const pixel factor{scale.factor[0], scale.factor[1], scale.factor[2], 0};
  const pixel offset{scale.offset[0], scale.offset[1], scale.offset[2], 0};
  for (int x = 0; x < width; ++x) {
    const auto* from = line + 4 * (columns.first(x) - columns.begin());
    pixel sum{};
    for (const float weight : columns.weights(x)) {
      sum += weight * load(from);
      from += 4;
    }
    const pixel value = sum * factor + offset;
    float* to = out + (is_mirrored ? width - 1 - x : x);
    to[0] = value[0];
    to[plane] = value[1];
    to[2 * plane] = value[2];
  }
}

void resample_grey(const float* line, const axis_weights& columns,
                   const plane_scale& scale, bool is_mirrored, float* out) {
  const int width = columns.size();
  for (int x = 0; x < width; ++x) {
    const auto* from = line + (columns.first(x) - columns.begin());
    float sum = 0;
    for (const float weight : columns.weights(x))
      sum += weight * *from++;
    out[is_mirrored ? width - 1 - x : x] =
      sum * scale.factor[0] + scale.offset[0];
  }
}

} // namespace pd::cpu
