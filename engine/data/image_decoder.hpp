/// Pictures in files of bytes: JPEG by libjpeg-turbo, PNG by libpng. What a
/// file is, its first bytes say, not its name.
///
/// The pixels are those of PIL's `Image.open(...).convert("RGB")`: palettes and
/// grey are spread, alpha is dropped, CMYK is taken for inverted as Adobe
/// writes it, an orientation in EXIF is not looked at. One thing differs: of
/// 16-bit grey the upper byte is taken, which PIL would clip.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/jpeg_reader.hpp"
#include "engine/data/pixels.hpp"
#include "engine/data/png_reader.hpp"

#include <cstdint>
#include <span>

namespace pd {

/// No picture has more pixels; a file that says so is broken.
inline constexpr std::int64_t max_picture_pixels = std::int64_t{1} << 27;

/// Its buffers grow to what the largest picture took.
/// Thread: one at a time.
class image_decoder {
public:
  /// Reads the head of a file. `bytes` stays as it is until decode() is done.
  /// Errors: bad_file, without a name.
  result<image_size> open(std::span<const std::uint8_t> bytes);

  /// True if a picture can be decoded at 1, 2 or 4 eighths of its size.
  [[nodiscard]] bool can_scale() const { return is_jpeg_; }

  /// Decodes at least the box `wanted` of the picture at `eighths` of its size
  /// (each extent rounded up). The view holds until the next call.
  ///
  /// Errors: bad_file, without a name.
  /// @pre open() succeeded; eighths = 8, or 1, 2 or 4 if can_scale(); the box
  /// lies within the scaled picture
  result<pixel_view> decode(int eighths, const pixel_box& wanted);

  /// Gives the buffers back that one large picture made large. No view holds.
  void shrink();

  /// What its buffers take.
  [[nodiscard]] std::size_t bytes() const {
    return jpeg_.bytes() + png_.bytes();
  }

private:
  jpeg_reader jpeg_;
  png_reader png_;
  bool is_jpeg_ = false;
};

} // namespace pd
