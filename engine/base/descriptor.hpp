/// An open file of the system, and what the system says when it refuses.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
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

/// Writes all of it; false, and errno, if the system refuses.
[[nodiscard]] bool write_all(int fd, std::span<const std::byte> bytes);

/// Makes what was made, renamed and removed in a folder last. A folder that
/// cannot be synced (its file system does not, we may not read it) is no error.
/// Errors: io.
[[nodiscard]] result<void> sync_folder(const std::string& path);

/// The folder that `path` stands in: "." for a bare name.
[[nodiscard]] std::string folder_of(const std::string& path);

} // namespace pd
