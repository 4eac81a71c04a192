/// From the bytes of a file to the numbers a network reads.
///
///     u8 [H, W, C] -> / 255 -> (x - mean) / std -> bilinear resize
///                  -> one channel repeated -> f32 [C', H', W']
///
/// Invariants:
///
/// (1) Without a resize every value is exactly (v / 255 - mean) / std in
///     float32: a table of 256 numbers holds them all.
///
/// (2) A resize is PyTorch's interpolate(mode="bilinear", align_corners=False,
///     antialias=False), to float32 rounding. It runs after the normalization;
///     the two commute, since the weights of a pixel sum to 1.

#pragma once

#include "engine/base/error.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

/// Extents of one image, in the order of a job file's `image`.
struct image_extents {
  int height = 0;
  int width = 0;
  int channels = 0;

  [[nodiscard]] std::int64_t elems() const {
    return std::int64_t{height} * width * channels;
  }
  bool operator==(const image_extents& other) const = default;
};

/// No image is higher or wider.
inline constexpr int max_image_extent = 4096;
/// No image has more channels.
inline constexpr int max_image_channels = 64;

/// "[28, 28, 1]"
[[nodiscard]] std::string to_string(const image_extents& image);

/// What is subtracted from, and then divides, a pixel in 0 ... 1.
struct normalization {
  float mean = 0.5F;
  float std = 0.5F;
};

/// The two input positions that make one output position along an axis.
struct resize_tap {
  std::int32_t first = 0;
  std::int32_t second = 0;
  float first_weight = 1;
  float second_weight = 0;
};

/// The taps of a bilinear resize from `from` to `to` positions.
[[nodiscard]] std::vector<resize_tap> make_resize_taps(int from, int to);

/// Turns images of one size into inputs of one size.
/// Thread: any; apply() writes nothing but its output, and allocates nothing.
class image_transform {
public:
  /// Errors: bad_value if extents are out of range, `std` is not positive, or
  /// the channels differ and there is not one to repeat.
  static result<image_transform> make(image_extents from, image_extents to,
                                      normalization scale);

  /// pixels: u8 [H, W, C]; image: f32 [C', H', W'].
  void apply(std::span<const std::uint8_t> pixels,
             std::span<float> image) const;

private:
  image_transform(image_extents from, image_extents to, normalization scale);

  void fill_plane(const std::uint8_t* pixels, float* plane) const;
  void copy_plane(const std::uint8_t* pixels, float* plane) const;
  void resize_plane(const std::uint8_t* pixels, float* plane) const;
  void resize_row(const std::uint8_t* pixels, int row, float* out) const;

  image_extents from_;
  image_extents to_;
  std::array<float, 256> value_{}; ///< of each byte, normalized
  std::vector<resize_tap> rows_;   ///< empty: no resize
  std::vector<resize_tap> columns_;
};

} // namespace pd
