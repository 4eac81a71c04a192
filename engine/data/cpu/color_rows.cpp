#include "engine/data/cpu/color_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace pd::cpu {

namespace {

/// What is no comparison of NaNs, so that it is one instruction.
float least(float a, float b) {
  return a < b ? a : b;
}

float most(float a, float b) {
  return a > b ? a : b;
}

float to_unit(float x) {
  return least(most(x, 0.0F), 1.0F);
}

float grey(float red, float green, float blue) {
  return 0.2989F * red + 0.587F * green + 0.114F * blue;
}

/// The mean of the image's grey. Summed in double, in order.
float mean_grey(int channels, std::span<const float> planes) {
  const auto n = planes.size() / static_cast<std::size_t>(channels);
  const auto* red = planes.data();
  const auto* green = channels == 3 ? red + n : red;
  const auto* blue = channels == 3 ? green + n : red;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i)
    sum += channels == 3 ? grey(red[i], green[i], blue[i]) : red[i];
  return static_cast<float>(sum / static_cast<double>(n));
}

/// Where a colour of three lies on the wheel, 0 ... 1.
float hue_of(float red, float green, float blue) {
  const float high = most(most(red, green), blue);
  const float range = high - least(least(red, green), blue);
  const float inverse = 1.0F / (range == 0.0F ? 1.0F : range);
  const float r = (high - red) * inverse;
  const float g = (high - green) * inverse;
  const float b = (high - blue) * inverse;
  const float not_red = high == green ? 2.0F + r - b : 4.0F + g - r;
  const float sixths = high == red ? b - g : not_red;
  return sixths * (1.0F / 6.0F);
}

/// One of red (5), green (3), blue (1) of hue, saturation * value and value.
float channel_of(float number, float sixths, float chroma, float value) {
  float at = number + sixths;
  at = at - 6.0F * std::floor(at * (1.0F / 6.0F));
  return value - chroma * to_unit(least(at, 4.0F - at));
}

} // namespace

void change_brightness(float factor, std::span<float> planes) {
  for (auto& each : planes)
    each = to_unit(factor * each);
}

void change_contrast(float factor, int channels, std::span<float> planes) {
  const float rest = (1.0F - factor) * mean_grey(channels, planes);
  for (auto& each : planes)
    each = to_unit(factor * each + rest);
}

void change_saturation(float factor, std::span<float> planes) {
  const auto n = planes.size() / 3;
  auto* red = planes.data();
  auto* green = red + n;
  auto* blue = green + n;
  for (std::size_t i = 0; i < n; ++i) {
    const float rest = (1.0F - factor) * grey(red[i], green[i], blue[i]);
    red[i] = to_unit(factor * red[i] + rest);
    green[i] = to_unit(factor * green[i] + rest);
    blue[i] = to_unit(factor * blue[i] + rest);
  }
}

void change_hue(float turns, std::span<float> planes) {
  const auto n = planes.size() / 3;
  auto* red = planes.data();
  auto* green = red + n;
  auto* blue = green + n;
  for (std::size_t i = 0; i < n; ++i) {
    const float high = most(most(red[i], green[i]), blue[i]);
    const float range = high - least(least(red[i], green[i]), blue[i]);
    const float sixths = 6.0F * (hue_of(red[i], green[i], blue[i]) + turns);
    red[i] = channel_of(5.0F, sixths, range, high);
    green[i] = channel_of(3.0F, sixths, range, high);
    blue[i] = channel_of(1.0F, sixths, range, high);
  }
}

void scale_planes(std::span<const float> factor, std::span<const float> offset,
                  std::span<float> planes) {
  const auto n = planes.size() / factor.size();
  for (std::size_t c = 0; c < factor.size(); ++c)
    for (auto& each : planes.subspan(c * n, n))
      each = each * factor[c] + offset[c];
}

} // namespace pd::cpu
