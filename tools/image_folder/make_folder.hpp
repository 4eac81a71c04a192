/// Makes a folder of images as ImageNet has them, out of Fashion-MNIST.
///
///     OUT/train/0-t-shirt/00001.JPEG ... OUT/val/9-ankle-boot/00042.png

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>

namespace pd {

struct folder_spec {
  std::string out;
  std::string from; ///< the folder of the idx files
  std::int64_t train = 2000;
  std::int64_t val = 500;
  int side = 96;              ///< pixels; each image is made this large
  int quality = 90;           ///< of JPEG
  std::int64_t png_each = 0;  ///< every so many files is PNG; 0: none
  std::int64_t grey_each = 0; ///< every so many files has one channel; 0: none
};

/// Writes the first images of both splits. Files that are there are written
/// again; others stay.
///
/// Errors: of read_idx; io; bad_value if a count is out of range.
[[nodiscard]] result<void> make_image_folder(const folder_spec& spec);

} // namespace pd
