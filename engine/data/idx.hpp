/// IDX, the file format of MNIST and its kin.
///
///     00 00 | type | rank | rank big-endian u32 extents | the elements
///
/// Only type 08, unsigned bytes, is read. http://yann.lecun.com/exdb/mnist

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

/// What a file should hold: images u8 [n, h, w] or [n, h, w, c], labels u8 [n].
enum class idx_kind : std::uint8_t { images, labels };

struct idx_array {
  std::vector<std::int64_t> extents; ///< all at least 1
  std::vector<std::uint8_t> bytes;   ///< their product

  /// Where element 0 is in the file (decompressed).
  [[nodiscard]] std::int64_t header_bytes() const {
    return 4 + 4 * static_cast<std::int64_t>(extents.size());
  }
};

/// Reads a plain or gzip IDX file whole.
///
/// A header that lies costs no memory: never more is allocated than a small
/// multiple of what the file holds.
///
/// Errors: io if it cannot be read; bad_file, with file and offset, if its
/// magic, type, rank, extents or length are wrong or its gzip stream is.
[[nodiscard]] result<idx_array> read_idx(const std::string& path,
                                         idx_kind kind);

} // namespace pd
