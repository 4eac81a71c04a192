/// When a checkpoint is there, when it is not, and when it goes.

#include "engine/checkpoint/checkpoint_store.hpp"

#include "engine/base/log.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "tests/engine/checkpoint/small_checkpoint.hpp"
#include "tests/engine/checkpoint/traced_child.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sys/syscall.h>
#include <unistd.h>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

using names = std::vector<std::string>;

std::vector<checkpoint_state> states_in(const std::string& directory) {
  const auto list = list_checkpoints(directory);
  REQUIRE(list);
  std::vector<checkpoint_state> states;
  for (const auto& each : *list)
    states.push_back(each.state);
  return states;
}

/// The epoch of the newest whole one; -1 if there is none.
std::int64_t newest_epoch(const std::string& directory) {
  const auto found = find_newest_checkpoint(directory);
  REQUIRE(found);
  return found->whole ? found->whole->manifest().at.epoch : -1;
}

constexpr auto whole = checkpoint_state::whole;
constexpr auto torn = checkpoint_state::torn;
constexpr auto corrupt = checkpoint_state::corrupt;

} // namespace

TEST_CASE("the newest `keep` checkpoints are kept and no other",
          "[checkpoint][store]") {
  const int keep = GENERATE(1, 2, 3);
  const scratch_folder in{memory_folder()};
  auto store = checkpoint_store::open(in / "a/b", keep);
  REQUIRE(store);
  names wanted;
  for (std::int64_t epoch = 1; epoch <= 5; ++epoch) {
    REQUIRE(save(*store, {epoch, 0}));
    wanted.push_back(name_of({epoch, 0}));
    if (wanted.size() > static_cast<std::size_t>(keep))
      wanted.erase(wanted.begin());
    CHECK(names_in(in / "a/b") == wanted);
  }
}

TEST_CASE("a checkpoint that is not whole is no reason to remove one that is",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch)
    REQUIRE(save(in.path(), 9, {epoch, 0}));
  fs::remove(in / name_of({3, 0}) + "/manifest.json");
  REQUIRE(save(in.path(), 2, {4, 0}));
  CHECK(states_in(in.path()) == std::vector{whole, torn, whole});
  CHECK(newest_epoch(in.path()) == 4);
  REQUIRE(save(in.path(), 2, {5, 0}));
  CHECK(names_in(in.path()) == names{name_of({4, 0}), name_of({5, 0})});
}

TEST_CASE("what was just written is kept even if others are newer",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  REQUIRE(save(in.path(), 2, {8, 0}));
  REQUIRE(save(in.path(), 2, {9, 0}));
  REQUIRE(save(in.path(), 2, {1, 0}));
  CHECK(names_in(in.path())
        == names{name_of({1, 0}), name_of({8, 0}), name_of({9, 0})});
}

TEST_CASE("a checkpoint of the same position takes the old one's place",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, {2, 0});
  REQUIRE(path);
  fs::resize_file(*path + "/shard-1-of-2.safetensors", 10);
  CHECK(states_in(in.path()) == std::vector{torn});
  REQUIRE(save(in.path(), 3, {2, 0}));
  CHECK(states_in(in.path()) == std::vector{whole});
  CHECK(names_in(in.path()) == names{name_of({2, 0})});
}

TEST_CASE("a checkpoint is torn after every step but the last",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  auto store = checkpoint_store::open(in.path(), 3);
  REQUIRE(store);
  REQUIRE(save(*store, {1, 0}));
  const small_model model{{2, 0}};
  const auto part = store->begin({2, 0});
  REQUIRE(part);
  CHECK(*part == in / name_of({2, 0}) + ".part");
  CHECK(states_in(in.path()) == std::vector{torn, whole});
  std::vector<written_shard> shards;
  for (int i = 0; i < small_model::writers; ++i) {
    auto shard = write_shard(*part, i, 2, model.tensors(i));
    REQUIRE(shard);
    shards.push_back(*shard);
    CHECK(states_in(in.path()) == std::vector{torn, whole});
  }
  const auto text = print_manifest(model.manifest(shards));
  REQUIRE(text);
  write_bytes(*part + "/manifest.json", *text);
  CHECK(states_in(in.path()) == std::vector{torn, whole});
  CHECK(newest_epoch(in.path()) == 1);
  REQUIRE(store->commit(model.manifest(shards)));
  CHECK(states_in(in.path()) == std::vector{whole, whole});
  CHECK(newest_epoch(in.path()) == 2);
}

TEST_CASE("what dead writers left is removed before the next is written",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
    auto dead = checkpoint_store::open(in.path(), 3);
    REQUIRE(dead);
    const auto part = dead->begin({epoch, 0});
    REQUIRE(part);
    REQUIRE(write_shards(small_model{{epoch, 0}}, *part));
    CHECK(names_in(in.path()) == names{name_of({epoch, 0}) + ".part"});
  }
  REQUIRE(save(in.path(), 3, {3, 0}));
  CHECK(names_in(in.path()) == names{name_of({3, 0})});
}

TEST_CASE("what was given up leaves nothing", "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  auto store = checkpoint_store::open(in.path(), 3);
  REQUIRE(store);
  const auto part = store->begin({1, 0});
  REQUIRE(part);
  REQUIRE(write_shards(small_model{{1, 0}}, *part));
  store->abandon();
  store->abandon();
  CHECK(names_in(in.path()).empty());
  REQUIRE(save(*store, {1, 0}));
}

TEST_CASE("a shard that is missing, short or there twice is no checkpoint",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  auto store = checkpoint_store::open(in.path(), 3);
  REQUIRE(store);
  const small_model model{{1, 0}};
  const auto part = store->begin({1, 0});
  REQUIRE(part);
  const auto shards = write_shards(model, *part);
  REQUIRE(shards);
  const auto file = *part + "/shard-1-of-2.safetensors";
  SECTION("missing") {
    fs::remove(file);
  }
  SECTION("short") {
    fs::resize_file(file, fs::file_size(file) - 1);
  }
  SECTION("there twice") {
    const auto twice = write_shard(*part, 1, 2, model.tensors(1));
    REQUIRE(!twice);
    CHECK_THAT(twice.failure().message,
               Catch::Equals(file + ": cannot create: File exists"));
    REQUIRE(fs::exists(file)); // that of who was first
    fs::remove(file);
  }
  const auto failed = store->commit(model.manifest(*shards));
  REQUIRE(!failed);
  CHECK_THAT(failed.failure().message, Catch::StartsWith(file));
  CHECK(names_in(in.path()).empty());
}

TEST_CASE("nothing is removed that has no name of a checkpoint, and the log "
          "says what stays",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  REQUIRE(log_level("error"));
  REQUIRE(log_to_file(in / "log"));
  const names others{"e000001-s0000000000.bak",
                     "e1-s2",
                     "e000001-s0000000000x",
                     "latest",
                     "e000001",
                     "e000000-s0000000000.old.part"};
  for (const auto& each : others)
    fs::create_directory(in / each);
  (void)in.write("e000000-s0000000001", "a file");
  REQUIRE(save(in.path(), 1, {1, 0}));
  const auto kept = in / name_of({1, 0});
  write_bytes(kept + "/notes.txt", "mine");
  write_bytes(kept + "/manifest.json.bak", "mine");
  write_bytes(kept + "/shard-x-of-2.safetensors", "mine");
  REQUIRE(save(in.path(), 1, {2, 0}));
  REQUIRE(save(in.path(), 1, {3, 0}));
  CHECK(names_in(kept + ".part")
        == names{"manifest.json.bak", "notes.txt", "shard-x-of-2.safetensors"});
  for (const auto& each : others)
    CHECK(fs::is_directory(in / each));
  CHECK(fs::is_regular_file(in / "e000000-s0000000001"));
  REQUIRE(save(in.path(), 1, {1, 0})); // in the folder with what is not ours
  CHECK(newest_epoch(in.path()) == 3);
  CHECK(checkpoint::open(kept));
  CHECK_THAT(read(in / "log"), Catch::Contains(kept
                                               + ".part: cannot remove: "
                                                 "Directory not empty"));
  REQUIRE(log_level("warning"));
}

TEST_CASE("what a link leads to is read but not removed",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto elsewhere = save(in / "elsewhere", 1, {1, 0});
  REQUIRE(elsewhere);
  auto store = checkpoint_store::open(in / "here", 1);
  REQUIRE(store);
  const auto link = in / "here/" + name_of({1, 0});
  fs::create_directory_symlink(*elsewhere, link);
  CHECK(newest_epoch(in / "here") == 1);
  SECTION("pruned") {
    REQUIRE(save(*store, {2, 0}));
  }
  SECTION("replaced") {
    REQUIRE(save(*store, {1, 0}));
  }
  SECTION("left unfinished") {
    fs::rename(link, link + ".part");
    REQUIRE(save(*store, {1, 0}));
  }
  CHECK(names_in(in / "here").size() == 1);
  CHECK(!fs::is_symlink(in / "here/" + names_in(in / "here").front()));
  CHECK(checkpoint::open(*elsewhere));
}

TEST_CASE("a directory has one writer at a time", "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  {
    const auto first = checkpoint_store::open(in.path(), 1);
    REQUIRE(first);
    const auto second = checkpoint_store::open(in.path(), 1);
    REQUIRE(!second);
    CHECK_THAT(second.failure().message,
               Catch::StartsWith(in.path() + ": another process"));
  }
  CHECK(checkpoint_store::open(in.path(), 1));
}

TEST_CASE("a directory that cannot be is refused by name",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto file = in.write("file", "");
  for (const auto& path : {file, file + "/below", file + "/below/that"}) {
    const auto refused = checkpoint_store::open(path, 1);
    REQUIRE(!refused);
    CHECK_THAT(refused.failure().message, Catch::StartsWith(file));
  }
  CHECK(!checkpoint_store::open("", 1));
  CHECK(list_checkpoints(in / "none").failure().code == errc::bad_value);
  CHECK(list_checkpoints(file).failure().code == errc::bad_value);
}

TEST_CASE("names sort as positions do and are read back",
          "[checkpoint][store]") {
  CHECK(name_of({2, 3840}) == "e000002-s0000003840");
  CHECK(name_of({2'000'000, 1}) == "e2000000-s0000000001");
  for (const checkpoint_position at :
       {checkpoint_position{0, 0}, {2, 3840}, {1'234'567, 12'345'678'901}})
    for (const std::string ending : {"", ".part", ".old"}) {
      const auto name = name_of(at) + ending;
      const auto read = parse_checkpoint_name(name);
      REQUIRE(read);
      CHECK(read->at == at);
      CHECK(read->ending == ending);
    }
  for (const auto* none :
       {"", "e", "e000002", "e000002-", "e00002-s0000003840",
        "e000002-s000003840", "e000002s0000003840", "E000002-s0000003840",
        "e000002-s0000003840.parts", "e-00002-s0000003840",
        "e99999999999999999999-s0000000000", "xe000002-s0000003840"})
    CHECK(!parse_checkpoint_name(none));
}

TEST_CASE("a checkpoint under another position's name is corrupt",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  REQUIRE(save(in.path(), 3, {1, 0}));
  fs::rename(in / name_of({1, 0}), in / name_of({7, 0}));
  CHECK(states_in(in.path()) == std::vector{corrupt});
  CHECK(newest_epoch(in.path()) == -1);
  fs::rename(in / name_of({7, 0}), in / "best");
  CHECK(checkpoint::open(in / "best"));
}

TEST_CASE("the newest whole one is found behind those that are not",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  for (std::int64_t epoch = 1; epoch <= 4; ++epoch)
    REQUIRE(save(in.path(), 9, {epoch, 0}));
  fs::rename(in / name_of({4, 0}), in / name_of({4, 0}) + ".part");
  write_bytes(in / name_of({3, 0}) + "/manifest.json", "{}");
  const auto found = find_newest_checkpoint(in.path());
  REQUIRE(found);
  REQUIRE(found->whole);
  CHECK(found->whole->path() == in / name_of({2, 0}));
  REQUIRE(found->skipped.size() == 2);
  CHECK(found->skipped[0].state == torn);
  CHECK(found->skipped[1].state == corrupt);
  CHECK_THAT(found->skipped[1].why,
             Catch::StartsWith(in / name_of({3, 0}) + "/manifest.json"));
}

TEST_CASE("a file where a checkpoint is to be is an error that names it, and "
          "stays",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto name = GENERATE(name_of({1, 0}), name_of({1, 0}) + ".part");
  (void)in.write(name, "a file");
  const auto refused = save(in.path(), 1, {1, 0});
  REQUIRE(!refused);
  CHECK(refused.failure().message == in / name + ": is no directory");
  CHECK(read(in / name) == "a file");
  CHECK(save(in.path(), 1, {2, 0}));
}

// -- a death at every moment --------------------------------------------------

namespace {

/// Saves a second checkpoint over a first in a child that is killed at every
/// system call in turn. After each death there is a whole one, nothing is
/// corrupt, and the next writer goes on and leaves its own one only.
void die_everywhere(const checkpoint_position& first,
                    const checkpoint_position& second, bool can_exchange) {
  for (std::size_t killed_at = 0;; ++killed_at) {
    INFO("killed before system call " << killed_at);
    const scratch_folder in{memory_folder()};
    REQUIRE(save(in.path(), 1, first));
    const auto child = run_traced(killed_at, [&] {
      if (!can_exchange)
        forbid_exchange();
      if (!save(in.path(), 1, second))
        std::abort();
    });
    if (!child) {
      WARN("skipped: this system lets nobody trace a process");
      return;
    }
    const auto found = find_newest_checkpoint(in.path());
    REQUIRE(found);
    REQUIRE(found->whole);
    for (const auto& each : found->skipped)
      REQUIRE(each.state == torn);
    if (child->has_ended) {
      REQUIRE(killed_at > 20);
      REQUIRE(names_in(in.path()) == names{name_of(second)});
      return;
    }
    REQUIRE(save(in.path(), 1, {9, 0}));
    REQUIRE(names_in(in.path()) == names{name_of({9, 0})});
  }
}

} // namespace

TEST_CASE("a writer that dies at any system call leaves the old checkpoint or "
          "the new one whole",
          "[checkpoint][store]") {
  die_everywhere({1, 0}, {2, 0}, true);
}

TEST_CASE("a writer that dies at any system call while it replaces a "
          "checkpoint leaves one of the two whole",
          "[checkpoint][store]") {
  die_everywhere({1, 0}, {1, 0}, true);
}

TEST_CASE("... also where two names cannot be exchanged",
          "[checkpoint][store]") {
  die_everywhere({1, 0}, {1, 0}, false);
}

namespace {

/// What a child did to files for good, in its order.
template <class Calls>
std::string steps_of(const Calls& calls) {
  std::string steps;
  for (const auto each : calls)
    if (each == SYS_fsync)
      steps += "sync ";
    else if (each == SYS_rename || each == SYS_renameat
             || each == SYS_renameat2)
      steps += "rename ";
    else if (each == SYS_unlink || each == SYS_unlinkat)
      steps += "unlink ";
  return steps;
}

} // namespace

TEST_CASE("every file and folder is synced before the next step relies on it",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto child = run_traced(100000, [&] {
    if (!save(in.path(), 1, {1, 0}))
      std::abort();
  });
  if (!child) {
    WARN("skipped: this system lets nobody trace a process");
    return;
  }
  REQUIRE(child->has_ended);
  // two shards; the manifest, its name, the folder; the name, the directory
  CHECK(steps_of(child->calls) == "sync sync sync rename sync rename sync ");
}

TEST_CASE("a checkpoint that goes is none on the disk before its files go",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  REQUIRE(save(in.path(), 1, {1, 0}));
  const auto child = run_traced(100000, [&] {
    if (!save(in.path(), 1, {2, 0}))
      std::abort();
  });
  if (!child) {
    WARN("skipped: this system lets nobody trace a process");
    return;
  }
  // from the new one's name on
  CHECK_THAT(steps_of(child->calls),
             Catch::EndsWith("rename sync rename sync unlink unlink "
                             "unlink "));
}
