/// One PNG file at a time, by libpng, always whole.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/pixels.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pd {

/// See image_decoder, whose part it is.
class png_reader {
public:
  png_reader();
  ~png_reader();
  png_reader(const png_reader&) = delete;
  png_reader& operator=(const png_reader&) = delete;

  result<image_size> open(std::span<const std::uint8_t> bytes);
  result<pixel_view> decode();
  void shrink() { pd::shrink(pixels_); }
  [[nodiscard]] std::size_t bytes() const { return pixels_.capacity(); }

private:
  struct state; // of libpng

  [[nodiscard]] error failure() const;

  std::unique_ptr<state> is_;
  std::vector<std::uint8_t> pixels_; ///< u8 [h, w, 4]
  std::vector<std::uint8_t*> rows_;  ///< of pixels_
};

} // namespace pd
