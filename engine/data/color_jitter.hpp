/// Changes of colour, as torchvision's functional adjust_brightness,
/// adjust_contrast, adjust_saturation and adjust_hue make them of float images.

#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace pd {

enum class color_change : std::uint8_t {
  brightness,
  contrast,
  saturation,
  hue
};

struct color_jitter {
  float brightness = 1;
  float contrast = 1;
  float saturation = 1;
  float hue = 0; ///< in turns of the colour wheel
  std::array<color_change, 4> order{
    color_change::brightness, color_change::contrast, color_change::saturation,
    color_change::hue};
};

/// Makes the changes, in their order; one that changes nothing is left out.
/// planes: f32 [channels, h * w] in 0 ... 1, which they stay; channels 1 or 3.
/// Saturation and hue are nothing to one channel.
void change_colors(const color_jitter& how, int channels,
                   std::span<float> planes);

} // namespace pd
