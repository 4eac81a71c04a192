#include "engine/checkpoint/file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pd {

namespace {

error system_error_of(const std::string& path, const std::string& what) {
  const auto why = std::system_category().message(errno);
  return {errc::io, path + ": cannot " + what + ": " + why};
}

/// Closes what it holds.
class descriptor {
public:
  explicit descriptor(int fd) : fd_{fd} {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

private:
  int fd_;
};

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR)
      return false;
    bytes = bytes.subspan(static_cast<std::size_t>(done < 0 ? 0 : done));
  }
  return true;
}

result<void> write_and_sync(const std::string& path,
                            std::span<const std::span<const std::byte>> parts) {
  descriptor file{
    ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (!file.is_open())
    return system_error_of(path, "create");
  for (const auto part : parts)
    if (!write_all(file.get(), part))
      return system_error_of(path, "write");
  if (::fsync(file.get()) != 0 || !file.close())
    return system_error_of(path, "sync");
  return {};
}

/// Makes a rename in the folder of `path` last. A file system that cannot sync
/// a folder is no error.
void sync_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const auto folder =
    slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const descriptor at{
    ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (at.is_open())
    ::fsync(at.get());
}

} // namespace

result<mapped_file> mapped_file::open(const std::string& path) {
  // O_NONBLOCK: a pipe must not make us wait; for a regular file it says
  // nothing.
  const descriptor file{
    ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.get(), &facts) != 0)
    return system_error_of(path, "open");
  if (!S_ISREG(facts.st_mode))
    return error{errc::io, path + ": cannot open: not a regular file"};
  const auto size = static_cast<std::size_t>(facts.st_size);
  mapped_file made;
  if (size == 0)
    return made;
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (at == MAP_FAILED)
    return system_error_of(path, "map");
  made.mapping_ = {at, [size](void* mapped) { ::munmap(mapped, size); }};
  made.bytes_ = {static_cast<const std::byte*>(at), size};
  return made;
}

result<void>
write_whole_file(const std::string& path,
                 std::span<const std::span<const std::byte>> parts) {
  const auto aside = path + ".tmp." + std::to_string(::getpid());
  if (auto written = write_and_sync(aside, parts); !written) {
    ::unlink(aside.c_str());
    return written;
  }
  if (std::rename(aside.c_str(), path.c_str()) != 0) {
    const auto failed = system_error_of(path, "replace");
    ::unlink(aside.c_str());
    return failed;
  }
  sync_folder_of(path);
  return {};
}

} // namespace pd
