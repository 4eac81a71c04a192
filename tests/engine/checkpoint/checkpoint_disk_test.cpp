/// A disk that is full, a limit on the size of files, a directory that cannot
/// be written: an error that names the file, and the old checkpoint as it was.

#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/checkpoint/checkpoint_store.hpp"
#include "tests/engine/checkpoint/small_checkpoint.hpp"
#include "tests/support/file_size_limit.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/mount.h>
#include <unistd.h>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

constexpr rlim_t page_bytes = 4096;

/// A small file system in memory at `path`, as long as this lives.
class small_disk {
public:
  explicit small_disk(const std::string& path) : path_{path} {
    fs::create_directory(path);
    is_there_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=128k") == 0;
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    if (is_there_)
      ::umount2(path_.c_str(), MNT_DETACH);
  }

  /// False, and told, if we may not mount.
  [[nodiscard]] bool is_there() const {
    if (!is_there_)
      WARN("skipped: to mount a file system needs root");
    return is_there_;
  }

  void make_read_only() const {
    REQUIRE(
      ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr)
      == 0);
  }

  /// Leaves so many pages.
  void fill_but(std::size_t pages) const {
    const auto filler = path_ + "/filler";
    std::ofstream{filler} << std::string(1 << 20, 'x');
    const auto bytes = fs::file_size(filler);
    REQUIRE(bytes > pages * page_bytes);
    fs::resize_file(filler, bytes - pages * page_bytes);
  }

private:
  std::string path_;
  bool is_there_ = false;
};

/// Root, who may write everywhere, is nobody as long as this lives.
class ordinary_user {
public:
  ordinary_user() { become(65534); }
  ordinary_user(const ordinary_user&) = delete;
  ordinary_user& operator=(const ordinary_user&) = delete;
  ~ordinary_user() { become(0); }

private:
  void become(uid_t user) const {
    if (was_root_ && ::setresuid(user, user, 0) != 0)
      std::abort();
  }

  bool was_root_ = ::geteuid() == 0;
};

/// The name of the file, within the part folder, that an error names first.
std::string file_of(const error& why, const std::string& directory) {
  const auto part = directory + "/" + name_of({2, 0}) + ".part/";
  REQUIRE_THAT(why.message, Catch::StartsWith(part));
  const auto rest = why.message.substr(part.size());
  return rest.substr(0, rest.find(':'));
}

/// Epoch 1 is there, whole, and nothing else of ours.
void check_only_first(const std::string& directory) {
  const auto list = list_checkpoints(directory);
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  REQUIRE(list->front().state == checkpoint_state::whole);
  REQUIRE(list->front().at == checkpoint_position{1, 0});
}

const std::set<std::string> all_files{
  "manifest.json", "shard-0-of-2.safetensors", "shard-1-of-2.safetensors"};

} // namespace

TEST_CASE("a full disk is an error that names the file, at each file, and "
          "leaves the old checkpoint and no other",
          "[checkpoint][store]") {
  const scratch_folder in;
  const small_disk disk{in / "disk"};
  if (!disk.is_there())
    return;
  auto store = checkpoint_store::open(in / "disk", 1);
  REQUIRE(store);
  REQUIRE(save(*store, {1, 0}));
  std::set<std::string> failed_at;
  for (std::size_t pages = 0; pages < 20; ++pages) {
    INFO(pages << " pages are left");
    disk.fill_but(pages);
    const auto saved = save(*store, {2, 0});
    if (saved)
      break;
    CHECK_THAT(saved.failure().message,
               Catch::Contains("No space left on device"));
    failed_at.insert(file_of(saved.failure(), in / "disk"));
    check_only_first(in / "disk");
  }
  for (const auto& each : all_files)
    CHECK(failed_at.contains(each));
  CHECK(names_in(in / "disk")
        == std::vector<std::string>{name_of({2, 0}), "filler"});
}

TEST_CASE("a file that may not grow is an error that names it and leaves the "
          "old checkpoint and no other",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  REQUIRE(save(in.path(), 1, {1, 0}));
  auto store = checkpoint_store::open(in.path(), 1);
  REQUIRE(store);
  std::set<std::string> failed_at;
  for (rlim_t bytes = 0; bytes < page_bytes; bytes += 32) {
    INFO("files may have " << bytes << " bytes");
    const auto saved = [&] {
      const file_size_limit limit{bytes};
      return save(*store, {2, 0});
    }();
    if (saved)
      break;
    CHECK_THAT(saved.failure().message, Catch::Contains("File too large"));
    failed_at.insert(file_of(saved.failure(), in.path()));
    check_only_first(in.path());
  }
  CHECK(failed_at.contains("shard-0-of-2.safetensors"));
  CHECK(failed_at.contains("manifest.json"));
  CHECK(names_in(in.path()) == std::vector<std::string>{name_of({2, 0})});
}

TEST_CASE("a shard that cannot be written to its end is not there",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const small_model model{{1, 0}};
  const auto failed = [&] {
    const file_size_limit limit{100};
    return write_shard(in.path(), 0, 2, model.tensors(0));
  }();
  REQUIRE(!failed);
  CHECK(failed.failure().message
        == in / "shard-0-of-2.safetensors: cannot write: File too large");
  CHECK(names_in(in.path()).empty());
  CHECK(write_shard(in.path(), 0, 2, model.tensors(0)));
}

TEST_CASE("a read-only directory is an error that names it, when it is opened "
          "and later, and what is in it is read",
          "[checkpoint][store]") {
  const scratch_folder in;
  const small_disk disk{in / "disk"};
  if (!disk.is_there())
    return;
  auto store = checkpoint_store::open(in / "disk", 1);
  REQUIRE(store);
  REQUIRE(save(*store, {1, 0}));
  disk.make_read_only();
  const auto saved = save(*store, {2, 0});
  REQUIRE(!saved);
  CHECK(saved.failure().message
        == in / "disk/" + name_of({2, 0})
             + ".part: cannot make: Read-only file system");
  const auto opened = checkpoint_store::open(in / "disk", 1);
  REQUIRE(!opened);
  CHECK(opened.failure().message
        == in / "disk" + ": cannot write: Read-only file system");
  const auto below = checkpoint_store::open(in / "disk/a/b", 1);
  REQUIRE(!below);
  CHECK_THAT(below.failure().message, Catch::StartsWith(in / "disk/a: "));
  check_only_first(in / "disk");
}

TEST_CASE("a directory without permission to write is refused by name",
          "[checkpoint][store]") {
  const scratch_folder in;
  fs::permissions(in.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto opened = [&] {
    const ordinary_user nobody;
    return checkpoint_store::open(in.path(), 1);
  }();
  fs::permissions(in.path(), fs::perms::owner_all);
  REQUIRE(!opened);
  CHECK(opened.failure().message
        == in.path() + ": cannot write: Permission denied");
}

TEST_CASE("a checkpoint that may not be read is neither torn nor passed over",
          "[checkpoint][list]") {
  const scratch_folder in;
  REQUIRE(save(in.path(), 2, {1, 0}));
  REQUIRE(save(in.path(), 2, {2, 0}));
  const auto newest = in / name_of({2, 0});
  fs::permissions(in.path(), fs::perms::all);
  fs::permissions(newest, fs::perms::none);
  const auto [listed, found] = [&] {
    const ordinary_user nobody;
    return std::pair{list_checkpoints(in.path()),
                     find_newest_checkpoint(in.path())};
  }();
  fs::permissions(newest, fs::perms::owner_all);
  REQUIRE(listed);
  CHECK(listed->front().state == checkpoint_state::unreadable);
  REQUIRE(!found);
  CHECK(found.failure().message
        == newest + "/manifest.json: cannot look at it: Permission denied");
}
