#include "engine/base/descriptor.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pd {

namespace {

error cannot(const std::string& what) {
  const auto why = std::system_category().message(errno);
  return {errc::io, "cannot " + what + ": " + why};
}

} // namespace

error system_error_of(const std::string& path, const std::string& what) {
  return cannot(what).within(path);
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

result<open_file> open_to_read(const std::string& path) {
  // O_NONBLOCK: a pipe must not make us wait; to a regular file it says
  // nothing.
  descriptor at{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (!at.is_open() || ::fstat(at.get(), &facts) != 0)
    return cannot("open");
  if (!S_ISREG(facts.st_mode))
    return error{errc::io, "cannot open: not a regular file"};
  return open_file{std::move(at), std::int64_t{facts.st_size}};
}

result<std::size_t> read_all(int fd, std::span<std::byte> to) {
  std::size_t done = 0;
  while (done < to.size()) {
    const auto got = ::read(fd, to.data() + done, to.size() - done);
    if (got == 0)
      break;
    if (got < 0 && errno != EINTR)
      return cannot("read");
    done += static_cast<std::size_t>(got < 0 ? 0 : got);
  }
  return done;
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
