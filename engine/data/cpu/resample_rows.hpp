/// The inner loops of resample(), compiled for this machine.

#pragma once

#include "engine/data/resample.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace pd::cpu {

/// out[i] = sum over k of weights[k] * row[k * row_bytes + i], k rising.
void sum_rows(const std::uint8_t* row, std::ptrdiff_t row_bytes,
              std::span<const float> weights, std::span<float> out);

/// One row of four channels to one row of three planes, `plane` elements apart.
/// line: f32 [columns, 4], from pixel columns.begin() on.
void resample_colors(const float* line, const axis_weights& columns,
                     const plane_scale& scale, bool is_mirrored, float* out,
                     std::size_t plane);

/// The same of one channel.
void resample_grey(const float* line, const axis_weights& columns,
                   const plane_scale& scale, bool is_mirrored, float* out);

} // namespace pd::cpu
