/// The inner loops of change_colors(), compiled for this machine.

#pragma once

#include <span>

namespace pd::cpu {

/// planes: f32 [C, h * w] in 0 ... 1.
void change_brightness(float factor, std::span<float> planes);
void change_contrast(float factor, int channels, std::span<float> planes);

/// planes: f32 [3, h * w] in 0 ... 1.
void change_saturation(float factor, std::span<float> planes);
void change_hue(float turns, std::span<float> planes);

/// planes[c][i] = planes[c][i] * factor[c] + offset[c]
void scale_planes(std::span<const float> factor, std::span<const float> offset,
                  std::span<float> planes);

} // namespace pd::cpu
