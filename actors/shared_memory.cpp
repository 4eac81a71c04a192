#include "actors/shared_memory.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pd {

namespace {

error refused(const std::string& what) {
  return {errc::io, "shared memory: " + what + ": " + std::strerror(errno)};
}

} // namespace

result<std::unique_ptr<shared_memory>> shared_memory::make(std::size_t bytes) {
  const int made = ::memfd_create("pd-engine", MFD_CLOEXEC);
  if (made < 0)
    return refused("memfd_create");
  if (::ftruncate(made, static_cast<off_t>(bytes)) != 0) {
    const auto why = refused("ftruncate");
    ::close(made);
    return why;
  }
  return open(made);
}

/// Owns the descriptor from here on.
result<std::unique_ptr<shared_memory>> shared_memory::open(int descriptor) {
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0)
    return refused("descriptor " + std::to_string(descriptor));
  const auto bytes = static_cast<std::size_t>(facts.st_size);
  void* data =
    ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) {
    const auto why = refused("mmap");
    ::close(descriptor);
    return why;
  }
  return std::unique_ptr<shared_memory>{
    new shared_memory{descriptor, data, bytes}};
}

shared_memory::~shared_memory() {
  ::munmap(data_, bytes_);
  ::close(descriptor_);
}

} // namespace pd
