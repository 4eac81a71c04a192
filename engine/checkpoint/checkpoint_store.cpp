#include "engine/checkpoint/checkpoint_store.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/log.hpp"
#include "engine/checkpoint/checkpoint.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/checkpoint/file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pd {

namespace {

namespace fs = std::filesystem;

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Makes a folder and those above it, each lasting.
result<void> make_folders(const std::string& path) {
  const auto above = folder_of(path);
  if (!is_there(above))
    PD_CHECK(make_folders(above));
  if (::mkdir(path.c_str(), 0777) == 0)
    return sync_folder(above);
  const auto refused = system_error_of(path, "make the directory");
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return {};
  return is_there(path) ? error{errc::bad_value, path + ": is no directory"}
                        : refused;
}

/// A file system without locks has none: one writer is then a promise.
result<descriptor> lock_folder(const std::string& path) {
  descriptor folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder.is_open())
    return system_error_of(path, "open");
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return error{errc::io, path + ": another process writes checkpoints there"};
  return folder;
}

// -- removing -----------------------------------------------------------------

/// If a file within a checkpoint's folder has a name of ours. The manifest has
/// another while it is written (file.hpp).
bool is_ours(std::string_view name) {
  constexpr std::string_view written = "manifest.json.tmp.";
  return is_shard_file(name) || name == manifest_file
         || name.starts_with(written);
}

result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return system_error_of(path, "remove");
  return {};
}

std::vector<std::string> our_files(const std::string& folder) {
  std::vector<std::string> ours;
  std::error_code failed;
  for (fs::directory_iterator at{folder, failed}, end; !failed && at != end;
       at.increment(failed))
    if (is_ours(at->path().filename().string()))
      ours.push_back(at->path().string());
  return ours;
}

/// Removes our files, and the folder if no other is in it. The manifest goes
/// first: without it no folder is a checkpoint. Of a link the link goes, and
/// what it leads to stays.
result<void> remove_folder(const std::string& path) {
  std::error_code ignored;
  if (fs::is_symlink(path, ignored))
    return remove_file(path);
  PD_CHECK(remove_file(path + "/" + manifest_file));
  for (const auto& each : our_files(path))
    PD_CHECK(remove_file(each));
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
    return system_error_of(path, "remove");
  return {};
}

/// From one moment to the next it is no checkpoint any more; then it goes. One
/// that was replaced has no claim to a name.
result<void> remove_checkpoint(const std::string& path) {
  if (fs::path{path}.extension() == ".old")
    return remove_folder(path);
  const auto part = path + ".part";
  if (std::rename(path.c_str(), part.c_str()) != 0)
    return system_error_of(path, "remove");
  PD_CHECK(sync_folder(folder_of(path)));
  return remove_folder(part);
}

/// True if it was done; else it is told.
bool done_or_told(const result<void>& done) {
  if (!done)
    log_warning("checkpoint: {}", done.failure().message);
  return done.has_value();
}

bool looks_whole(const std::string& path) {
  const auto manifest = read_manifest(path);
  return manifest && check_shard_sizes(path, *manifest);
}

/// What dead writers left: what was in the making, and what was replaced.
void remove_leftovers(const std::vector<std::string>& paths) {
  for (const auto& each : paths) {
    const fs::path path{each};
    const auto ending = path.extension();
    const bool is_replaced =
      ending == ".old" && is_there(fs::path{path}.replace_extension());
    if (ending == ".part")
      done_or_told(remove_folder(each));
    else if (is_replaced)
      done_or_told(remove_checkpoint(each));
  }
}

/// `paths` are newest first.
void prune(const std::vector<std::string>& paths, int keep,
           const std::string& just_written) {
  int kept = 0;
  for (const auto& each : paths) {
    if (fs::path{each}.extension() == ".part")
      continue;
    if (kept < keep)
      kept += looks_whole(each) ? 1 : 0;
    else if (each != just_written)
      done_or_told(remove_checkpoint(each));
  }
}

// -- taking its name ----------------------------------------------------------

enum class exchanged { done, not_possible, failed };

/// Both names at once, where the file system can.
exchanged exchange(const std::string& a, const std::string& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE)
      == 0)
    return exchanged::done;
  const bool is_known = errno != EINVAL && errno != ENOSYS && errno != ENOTSUP;
  return is_known ? exchanged::failed : exchanged::not_possible;
}

/// The old one steps aside, as a whole one still, then the new one is there.
result<void> replace_in_two_steps(const std::string& part,
                                  const std::string& path) {
  const auto old = path + ".old";
  if (std::rename(path.c_str(), old.c_str()) != 0)
    return system_error_of(path, "rename");
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    const auto failed = system_error_of(part, "rename");
    done_or_told(std::rename(old.c_str(), path.c_str()) == 0
                   ? result<void>{}
                   : system_error_of(old, "rename"));
    return failed;
  }
  if (done_or_told(sync_folder(folder_of(path))))
    done_or_told(remove_checkpoint(old));
  return {};
}

/// Invariants (1) and (2). Once the new one has its name, it is there, whatever
/// comes behind; but the old one goes only if that name is on the disk.
result<void> take_name(const std::string& part, const std::string& path) {
  if (!is_there(path)) {
    if (std::rename(part.c_str(), path.c_str()) != 0)
      return system_error_of(part, "rename");
    done_or_told(sync_folder(folder_of(path)));
    return {};
  }
  switch (exchange(part, path)) {
  case exchanged::failed:
    return system_error_of(part, "rename");
  case exchanged::not_possible:
    return replace_in_two_steps(part, path);
  case exchanged::done:
    break;
  }
  if (done_or_told(sync_folder(folder_of(path))))
    done_or_told(remove_folder(part));
  return {};
}

/// What stands where a checkpoint is to be has to be one.
result<void> check_place(const std::string& path) {
  std::error_code ignored;
  if (is_there(path) && !fs::is_directory(path, ignored))
    return error{errc::io, path + ": is no directory"};
  return {};
}

result<void> finish(const std::string& part,
                    const checkpoint_manifest& manifest) {
  PD_CHECK(check_shard_sizes(part, manifest));
  PD_TRY(const auto text, print_manifest(manifest));
  const auto bytes = std::as_bytes(std::span{text});
  return write_whole_file(part + "/" + manifest_file, {&bytes, 1});
}

} // namespace

result<checkpoint_store> checkpoint_store::open(std::string directory,
                                                int keep) {
  PD_ASSERT(keep >= 1);
  while (directory.size() > 1 && directory.ends_with('/'))
    directory.pop_back();
  PD_CHECK(make_folders(directory));
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    return system_error_of(directory, "write");
  PD_TRY(auto lock, lock_folder(directory));
  return checkpoint_store{std::move(directory), keep, std::move(lock)};
}

result<std::string> checkpoint_store::begin(const checkpoint_position& at) {
  PD_ASSERT(part_.empty());
  PD_TRY(const auto paths, checkpoint_paths(directory_));
  remove_leftovers(paths);
  const auto part = directory_ + "/" + name_of(at) + ".part";
  PD_CHECK(check_place(directory_ + "/" + name_of(at)));
  // One that is there yet has something in it that is not ours.
  if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST)
    return system_error_of(part, "make");
  PD_CHECK(check_place(part));
  part_ = part;
  return part;
}

result<std::string>
checkpoint_store::commit(const checkpoint_manifest& manifest) {
  PD_ASSERT(!part_.empty());
  const auto path = directory_ + "/" + name_of(manifest.at);
  PD_ASSERT_EQ(part_, path + ".part");
  auto written = finish(part_, manifest);
  if (written)
    written = take_name(part_, path);
  if (!written) {
    abandon();
    return written.failure();
  }
  part_.clear();
  if (const auto paths = checkpoint_paths(directory_))
    prune(*paths, keep_, path);
  return path;
}

void checkpoint_store::abandon() {
  if (!part_.empty())
    done_or_told(remove_folder(std::exchange(part_, {})));
}

} // namespace pd
