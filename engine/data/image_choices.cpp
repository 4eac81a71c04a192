#include "engine/data/image_choices.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace pd {

namespace {

constexpr int crop_tries = 10;

/// Draws of four words each that a sample may take.
constexpr std::uint64_t draws_of_sample = 16;
constexpr std::uint64_t flip_draw = crop_tries;
constexpr std::uint64_t jitter_draw = crop_tries + 1;

using words = std::array<std::uint32_t, 4>;

words draw(const choice_key& who, std::uint64_t number) {
  return philox(who.stream, who.sample * draws_of_sample + number);
}

double between(double least, double most, std::uint32_t word) {
  return least + static_cast<double>(word) * 0x1p-32 * (most - least);
}

/// In 0 ... bound - 1.
int below(int bound, std::uint32_t word) {
  return static_cast<int>((std::uint64_t{word} * static_cast<unsigned>(bound))
                          >> 32U);
}

/// Half to even, as Python's round().
int rounded(double x) {
  return static_cast<int>(std::nearbyint(x));
}

std::optional<pixel_box> try_crop(const words& drawn, const augmentation& from,
                                  const image_size& picture) {
  const auto [height, width] = picture;
  const double area =
    static_cast<double>(height) * width
    * between(from.crop_scale[0], from.crop_scale[1], drawn[0]);
  const double ratio = std::exp(between(
    std::log(from.crop_ratio[0]), std::log(from.crop_ratio[1]), drawn[1]));
  const double w = std::nearbyint(std::sqrt(area * ratio));
  const double h = std::nearbyint(std::sqrt(area / ratio));
  if (w < 1 || w > width || h < 1 || h > height)
    return {};
  const auto crop_width = static_cast<int>(w);
  const auto crop_height = static_cast<int>(h);
  return pixel_box{below(height - crop_height + 1, drawn[2]),
                   below(width - crop_width + 1, drawn[3]), crop_height,
                   crop_width};
}

/// The largest part in the middle whose ratio is allowed.
pixel_box middle_crop(const augmentation& from, const image_size& picture) {
  auto [height, width] = picture;
  const double ratio = static_cast<double>(width) / height;
  if (ratio < from.crop_ratio[0])
    height = std::clamp(rounded(width / from.crop_ratio[0]), 1, height);
  else if (ratio > from.crop_ratio[1])
    width = std::clamp(rounded(height * from.crop_ratio[1]), 1, width);
  return {(picture.height - height) / 2, (picture.width - width) / 2, height,
          width};
}

float factor_near_1(double amplitude, std::uint32_t word) {
  return static_cast<float>(
    between(std::max(0.0, 1.0 - amplitude), 1.0 + amplitude, word));
}

} // namespace

pixel_box choose_crop(const choice_key& who, const augmentation& from,
                      const image_size& picture) {
  for (std::uint64_t i = 0; i < crop_tries; ++i)
    if (const auto found = try_crop(draw(who, i), from, picture))
      return *found;
  return middle_crop(from, picture);
}

bool choose_flip(const choice_key& who, const augmentation& from) {
  return between(0, 1, draw(who, flip_draw)[0]) < from.flip;
}

color_jitter choose_jitter(const choice_key& who, const augmentation& from) {
  color_jitter made;
  const auto order = draw(who, flip_draw);
  for (int i = 3; i > 0; --i)
    std::swap(made.order[static_cast<std::size_t>(i)],
              made.order[static_cast<std::size_t>(
                below(i + 1, order[static_cast<std::size_t>(i)]))]);
  const auto factors = draw(who, jitter_draw);
  made.brightness = factor_near_1(from.jitter[0], factors[0]);
  made.contrast = factor_near_1(from.jitter[1], factors[1]);
  made.saturation = factor_near_1(from.jitter[2], factors[2]);
  made.hue =
    static_cast<float>(between(-from.jitter[3], from.jitter[3], factors[3]));
  return made;
}

} // namespace pd
