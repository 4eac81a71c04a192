/// One JPEG file at a time, by libjpeg-turbo: only the rows and columns that
/// are wanted, at 1, 2, 4 or 8 eighths of the size.
///
/// Invariants:
///
/// (1) The pixels of a box do not depend on the box: at 8 eighths they are
///     those of a decoder that decodes all (slow integer DCT, smooth
///     upsampling), at fewer those of libjpeg's scaled DCT.
///
/// (2) A file without an end-of-image marker after its first scan's head is
///     cut off, whether what is missing is wanted or not.
///
/// (3) No bytes take more than a bounded time and memory.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/pixels.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pd {

/// See image_decoder, whose part it is.
class jpeg_reader {
public:
  jpeg_reader();
  ~jpeg_reader();
  jpeg_reader(const jpeg_reader&) = delete;
  jpeg_reader& operator=(const jpeg_reader&) = delete;

  result<image_size> open(std::span<const std::uint8_t> bytes);
  result<pixel_view> decode(int eighths, const pixel_box& wanted);
  void shrink() { pd::shrink(pixels_); }
  [[nodiscard]] std::size_t bytes() const { return pixels_.capacity(); }

private:
  struct state; // of libjpeg

  [[nodiscard]] error failure() const;
  void convert_cmyk(const pixel_box& where);

  std::unique_ptr<state> is_;
  std::vector<std::uint8_t> pixels_; ///< u8 [h, w, 4]
};

} // namespace pd
