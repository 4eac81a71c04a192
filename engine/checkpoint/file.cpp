#include "engine/checkpoint/file.hpp"

#include "engine/base/descriptor.hpp"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace pd {

namespace {

namespace fs = std::filesystem;

/// Writes `aside`; errors are told of `path`, which it is to become.
result<void> write_and_sync(const std::string& aside, const std::string& path,
                            std::span<const std::span<const std::byte>> parts) {
  descriptor file{
    ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (!file.is_open())
    return system_error_of(path, "create");
  for (const auto part : parts)
    if (!write_all(file.get(), part))
      return system_error_of(path, "write");
  if (::fsync(file.get()) != 0 || !file.close())
    return system_error_of(path, "sync");
  return {};
}

/// The file that is to be replaced: of a link, what it leads to.
result<std::string> replaced_by(const std::string& path) {
  std::error_code unknown;
  const auto target = fs::weakly_canonical(path, unknown);
  if (unknown)
    return error{errc::io, path + ": cannot write: " + unknown.message()};
  const auto is = fs::status(target, unknown).type();
  if (is != fs::file_type::not_found && is != fs::file_type::regular)
    return error{errc::bad_value, path + ": cannot write: not a regular file"};
  return target.string();
}

} // namespace

result<mapped_file> mapped_file::open(const std::string& path) {
  const auto file = open_to_read(path);
  if (!file)
    return file.failure().within(path);
  const auto size = static_cast<std::size_t>(file->bytes);
  mapped_file made;
  if (size == 0)
    return made;
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->at.get(), 0);
  if (at == MAP_FAILED)
    return system_error_of(path, "map");
  made.mapping_ = {at, [size](void* mapped) { ::munmap(mapped, size); }};
  made.bytes_ = {static_cast<const std::byte*>(at), size};
  return made;
}

result<void>
write_whole_file(const std::string& path,
                 std::span<const std::span<const std::byte>> parts) {
  PD_TRY(const auto target, replaced_by(path));
  const auto aside = target + ".tmp." + std::to_string(::getpid());
  if (auto written = write_and_sync(aside, path, parts); !written) {
    ::unlink(aside.c_str());
    return written;
  }
  if (std::rename(aside.c_str(), target.c_str()) != 0) {
    const auto failed = system_error_of(path, "replace");
    ::unlink(aside.c_str());
    return failed;
  }
  return sync_folder(folder_of(target));
}

} // namespace pd
