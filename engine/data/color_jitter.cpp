#include "engine/data/color_jitter.hpp"

#include "engine/base/assert.hpp"
#include "engine/data/cpu/color_rows.hpp"

namespace pd {

namespace {

void change(color_change what, const color_jitter& how, int channels,
            std::span<float> planes) {
  const bool has_colors = channels == 3;
  if (what == color_change::brightness && how.brightness != 1.0F)
    cpu::change_brightness(how.brightness, planes);
  else if (what == color_change::contrast && how.contrast != 1.0F)
    cpu::change_contrast(how.contrast, channels, planes);
  else if (what == color_change::saturation && how.saturation != 1.0F
           && has_colors)
    cpu::change_saturation(how.saturation, planes);
  else if (what == color_change::hue && how.hue != 0.0F && has_colors)
    cpu::change_hue(how.hue, planes);
}

} // namespace

void change_colors(const color_jitter& how, int channels,
                   std::span<float> planes) {
  PD_ASSERT(channels == 1 || channels == 3);
  for (const auto each : how.order)
    change(each, how, channels, planes);
}

} // namespace pd
