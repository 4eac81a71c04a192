#include "engine/data/image_transform.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pd {

namespace {

/// Where output position `at` lies between the input positions.
double source_position(double scale, int at) {
  return std::max((at + 0.5) * scale - 0.5, 0.0);
}

result<void> check_extents(const image_extents& image) {
  const auto fits = [](int extent, int most) {
    return extent >= 1 && extent <= most;
  };
  if (fits(image.height, max_image_extent)
      && fits(image.width, max_image_extent)
      && fits(image.channels, max_image_channels))
    return {};
  return error{errc::bad_value, "image " + to_string(image)
                                  + ": wants height and width in 1 ... "
                                  + std::to_string(max_image_extent)
                                  + " and channels in 1 ... "
                                  + std::to_string(max_image_channels)};
}

result<void> check_channels(const image_extents& from,
                            const image_extents& to) {
  if (from.channels == to.channels || from.channels == 1)
    return {};
  return error{errc::bad_value, "image " + to_string(to) + ": the data has "
                                  + std::to_string(from.channels)
                                  + " channels; only one can be repeated"};
}

result<void> check_scale(const normalization& scale) {
  if (std::isfinite(scale.mean) && std::isfinite(scale.std) && scale.std > 0)
    return {};
  return error{errc::bad_value,
               "normalization: mean = " + std::to_string(scale.mean)
                 + ", std = " + std::to_string(scale.std)
                 + "; wants finite numbers and std above 0"};
}

void blend(const float* upper, const float* lower, const resize_tap& tap,
           std::span<float> out) {
  const auto a = tap.first_weight;
  const auto b = tap.second_weight;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = a * upper[i] + b * lower[i];
}

} // namespace

std::string to_string(const image_extents& image) {
  return "[" + std::to_string(image.height) + ", " + std::to_string(image.width)
         + ", " + std::to_string(image.channels) + "]";
}

std::vector<resize_tap> make_resize_taps(int from, int to) {
  PD_ASSERT(from > 0 && to > 0);
  const double scale = static_cast<double>(from) / to;
  std::vector<resize_tap> taps;
  taps.reserve(static_cast<std::size_t>(to));
  for (int at = 0; at < to; ++at) {
    const double position = source_position(scale, at);
    const int first = std::min(static_cast<int>(position), from - 1);
    const int second = std::min(first + 1, from - 1);
    const auto beyond = static_cast<float>(position - first);
    taps.push_back({first, second, 1.0F - beyond, beyond});
  }
  return taps;
}

result<image_transform> image_transform::make(image_extents from,
                                              image_extents to,
                                              normalization scale) {
  PD_CHECK(check_extents(from));
  PD_CHECK(check_extents(to));
  PD_CHECK(check_channels(from, to));
  PD_CHECK(check_scale(scale));
  return image_transform{from, to, scale};
}

image_transform::image_transform(image_extents from, image_extents to,
                                 normalization scale)
  : from_{from}, to_{to} {
  for (int v = 0; v < 256; ++v)
    value_[static_cast<std::size_t>(v)] =
      (static_cast<float>(v) / 255.0F - scale.mean) / scale.std;
  if (from.height == to.height && from.width == to.width)
    return;
  rows_ = make_resize_taps(from.height, to.height);
  columns_ = make_resize_taps(from.width, to.width);
}

void image_transform::apply(std::span<const std::uint8_t> pixels,
                            std::span<float> image) const {
  PD_ASSERT_EQ(std::ssize(pixels), from_.elems());
  PD_ASSERT_EQ(std::ssize(image), to_.elems());
  const auto plane = std::int64_t{to_.height} * to_.width;
  for (int c = 0; c < from_.channels; ++c)
    fill_plane(pixels.data() + c, image.data() + c * plane);
  for (int c = from_.channels; c < to_.channels; ++c) // from one channel
    std::copy_n(image.data(), plane, image.data() + c * plane);
}

void image_transform::fill_plane(const std::uint8_t* pixels,
                                 float* plane) const {
  if (rows_.empty())
    copy_plane(pixels, plane);
  else
    resize_plane(pixels, plane);
}

void image_transform::copy_plane(const std::uint8_t* pixels,
                                 float* plane) const {
  const auto elems = std::int64_t{to_.height} * to_.width;
  for (std::int64_t i = 0; i < elems; ++i)
    plane[i] = value_[pixels[i * from_.channels]];
}

void image_transform::resize_plane(const std::uint8_t* pixels,
                                   float* plane) const {
  std::array<float, max_image_extent> scratch[2]{};
  auto* upper = scratch[0].data(); // input row `upper_row`, resized
  auto* lower = scratch[1].data();
  int upper_row = -1;
  int lower_row = -1;
  const auto width = static_cast<std::size_t>(to_.width);
  for (const auto& tap : rows_) {
    if (tap.first == lower_row) { // rows only go down
      std::swap(upper, lower);
      std::swap(upper_row, lower_row);
    }
    if (tap.first != upper_row)
      resize_row(pixels, upper_row = tap.first, upper);
    if (tap.second != lower_row)
      resize_row(pixels, lower_row = tap.second, lower);
    blend(upper, lower, tap, {plane, width});
    plane += width;
  }
}

void image_transform::resize_row(const std::uint8_t* pixels, int row,
                                 float* out) const {
  const auto* line = pixels + std::int64_t{row} * from_.width * from_.channels;
  const auto value_at = [&](std::int64_t column) {
    return value_[line[column * from_.channels]];
  };
  for (const auto& tap : columns_)
    *out++ = tap.first_weight * value_at(tap.first)
             + tap.second_weight * value_at(tap.second);
}

} // namespace pd
