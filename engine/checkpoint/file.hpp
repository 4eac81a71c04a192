/// Files read in place, and files written whole or not at all.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace pd {

/// The bytes of a file, mapped for reading. A counted handle.
///
/// Owns: the mapping, which ends with the last copy.
/// Thread: any.
class mapped_file {
public:
  mapped_file() = default;

  /// Errors: io, with the path and the system's reason.
  static result<mapped_file> open(const std::string& path);

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

private:
  std::shared_ptr<const void> mapping_; ///< null for an empty file
  std::span<const std::byte> bytes_;
};

/// Writes `parts` one after another as the file `path`: aside, as
/// "<path>.tmp.<pid>", synced, then renamed. So `path` is at every moment the
/// old file or the new one, and after an error there is no file aside.
///
/// Errors: io, with the path and the system's reason.
[[nodiscard]] result<void>
write_whole_file(const std::string& path,
                 std::span<const std::span<const std::byte>> parts);

} // namespace pd
