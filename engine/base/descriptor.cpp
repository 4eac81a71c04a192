#include "engine/base/descriptor.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pd {

error system_error_of(const std::string& path, const std::string& what) {
  const auto why = std::system_category().message(errno);
  return {errc::io, path + ": cannot " + what + ": " + why};
}

descriptor::descriptor(descriptor&& other) noexcept
  : fd_{std::exchange(other.fd_, -1)} {}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

descriptor::~descriptor() {
  if (fd_ >= 0)
    ::close(fd_);
}

bool descriptor::close() {
  return ::close(std::exchange(fd_, -1)) == 0;
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR)
      return false;
    bytes = bytes.subspan(static_cast<std::size_t>(done < 0 ? 0 : done));
  }
  return true;
}

result<void> sync_folder(const std::string& path) {
  const descriptor at{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const bool is_synced = at.is_open() && ::fsync(at.get()) == 0;
  if (is_synced || errno == EINVAL || errno == ENOTSUP || errno == EACCES)
    return {};
  return system_error_of(path, "sync");
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace pd
