/// Writes pictures into files, for what needs some: tests, benches, the tree
/// that make_image_folder makes.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

/// u8 [height, width, channels]: grey (1) or red, green, blue (3).
struct picture {
  int height = 0;
  int width = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels;
};

/// A JPEG file of a quality in 1 ... 100; colours at half the resolution, as
/// cameras write them. Errors: io.
[[nodiscard]] result<void> write_jpeg(const std::string& path,
                                      const picture& from, int quality = 90);

/// Errors: io.
[[nodiscard]] result<void> write_png(const std::string& path,
                                     const picture& from);

/// Something like a photograph: slow changes of light, edges, texture and the
/// noise of a camera; another one for each seed.
[[nodiscard]] picture draw_photo(int height, int width, std::uint64_t seed);

} // namespace pd
