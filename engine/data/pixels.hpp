/// Decoded pixels, and boxes of them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pd {

/// Height and width in pixels.
struct image_size {
  int height = 0;
  int width = 0;

  bool operator==(const image_size& other) const = default;
};

/// The pixels [left, left + width) of the rows [top, top + height).
struct pixel_box {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;

  bool operator==(const pixel_box& other) const = default;
};

/// A part of a picture: u8 [where.height, where.width, channels]. Owns nothing.
struct pixel_view {
  const std::uint8_t* first = nullptr;
  std::ptrdiff_t row_bytes = 0;
  int channels = 4; ///< red, green, blue and a byte without meaning; or 1
  pixel_box where;  ///< of the picture

  [[nodiscard]] const std::uint8_t* row(int number) const {
    return first + (number - where.top) * row_bytes;
  }
};

/// What a buffer of bytes keeps from one picture to the next.
inline constexpr std::size_t kept_buffer_bytes = std::size_t{16} << 20;

/// Gives back a buffer that keeps more.
inline void shrink(std::vector<std::uint8_t>& buffer) {
  if (buffer.capacity() > kept_buffer_bytes)
    std::vector<std::uint8_t>{}.swap(buffer);
}

/// Extent of a picture that is decoded at `eighths` of its size.
[[nodiscard]] constexpr int scaled_extent(int extent, int eighths) {
  return static_cast<int>((std::int64_t{extent} * eighths + 7) / 8);
}

/// Red, green and blue to luminance, as PIL's convert("L").
[[nodiscard]] constexpr std::uint8_t luminance(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>(
    (rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16U);
}

} // namespace pd
