/// An open file of the system, and what the system says when it refuses.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pd {

/// "<path>: cannot <what>: <the system's reason>", from errno. Call it before
/// anything else can change errno.
[[nodiscard]] error system_error_of(const std::string& path,
                                    const std::string& what);

/// Owns: a file descriptor, which it closes.
class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_{fd} {}
  descriptor(descriptor&& other) noexcept;
  descriptor& operator=(descriptor&& other) noexcept;
  ~descriptor();

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int get() const { return fd_; }
  /// False, and errno, if the system found only now that it could not write.
  [[nodiscard]] bool close();

private:
  int fd_ = -1;
};

/// A file to be read, and how many bytes it has now.
struct open_file {
  descriptor at;
  std::int64_t bytes = 0;
};

/// Opens a regular file. A pipe or a device is refused, not waited for.
/// Errors: io, without the path: "cannot open: <reason>".
[[nodiscard]] result<open_file> open_to_read(const std::string& path);

/// Bytes read from where the file stands, fewer than `to` has only at its end.
/// Errors: io, without the path: "cannot read: <the system's reason>".
[[nodiscard]] result<std::size_t> read_all(int fd, std::span<std::byte> to);

/// Writes all of it; false, and errno, if the system refuses.
[[nodiscard]] bool write_all(int fd, std::span<const std::byte> bytes);

/// Makes what was made, renamed and removed in a folder last. A folder that
/// cannot be synced (its file system does not, we may not read it) is no error.
/// Errors: io.
[[nodiscard]] result<void> sync_folder(const std::string& path);

/// The folder that `path` stands in: "." for a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);

} // namespace pd
