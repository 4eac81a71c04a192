/// What is written is read back, and nothing else is.

#include "engine/checkpoint/checkpoint.hpp"

#include "engine/base/random.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "tests/engine/checkpoint/small_checkpoint.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

constexpr checkpoint_position somewhere{2, 3840};

/// A checkpoint's files, with their bytes, to break and to mend.
struct intact_files {
  explicit intact_files(const std::string& folder) {
    for (const auto& name : names_in(folder)) {
      paths.push_back(folder + "/" + name);
      bytes.push_back(read(paths.back()));
    }
  }

  std::vector<std::string> paths;
  std::vector<std::string> bytes;
};

/// A place among all bytes of all files, as a file and a byte of it.
struct place {
  std::size_t file;
  std::size_t byte;
};
place place_of(const intact_files& files, std::uint64_t index) {
  std::size_t all = 0;
  for (const auto& each : files.bytes)
    all += each.size();
  auto at = uniform_below(make_random_key(4, "place"), index, all);
  std::size_t file = 0;
  while (at >= files.bytes[file].size())
    at -= files.bytes[file++].size();
  return {file, at};
}

/// Broken: opening says so and names the file, and the list says so.
void check_found(const std::string& folder, const std::string& broken_file) {
  const auto opened = checkpoint::open(folder);
  REQUIRE(!opened);
  REQUIRE_THAT(opened.failure().message, Catch::StartsWith(broken_file));
  const auto list = list_checkpoints(fs::path{folder}.parent_path());
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  REQUIRE(list->front().state != checkpoint_state::whole);
  REQUIRE(list->front().why == opened.failure().message);
}

} // namespace

TEST_CASE("a checkpoint read back is the checkpoint written",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, somewhere);
  REQUIRE(path);
  CHECK(*path == in / "e000002-s0000003840");
  CHECK(names_in(*path)
        == std::vector<std::string>{"manifest.json", "shard-0-of-2.safetensors",
                                    "shard-1-of-2.safetensors"});
  const auto read = checkpoint::open(*path + "/");
  REQUIRE(read);
  const auto& manifest = read->manifest();
  CHECK(manifest.at == somewhere);
  CHECK(manifest.name == "small");
  CHECK(manifest.seed == 7);
  CHECK(manifest.job == "name = \"small\"\nseed = 7\n");
  CHECK(manifest.tensors.size() == 5);
  const small_model model{somewhere};
  for (int writer = 0; writer < small_model::writers; ++writer)
    for (const auto& each : model.tensors(writer)) {
      INFO(each.name);
      const auto* found = manifest.find(each.name);
      REQUIRE(found != nullptr);
      CHECK(found->extents == each.extents);
      CHECK(found->kind == each.kind);
      CHECK(found->shard == writer);
      CHECK(found->updates == each.updates);
      if (each.kind == tensor_kind::counter)
        CHECK(std::ranges::equal(*read->counts(each.name), each.counts));
      else
        CHECK(std::ranges::equal(*read->values(each.name), each.values));
      for (std::size_t i = 0; i < each.moments.size(); ++i)
        CHECK(std::ranges::equal(*read->moment(each.name, static_cast<int>(i)),
                                 each.moments[i]));
    }
}

TEST_CASE("what a checkpoint does not have is refused by name",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, somewhere);
  REQUIRE(path);
  const auto read = checkpoint::open(*path);
  REQUIRE(read);
  CHECK_THAT(read->values("conv1.weigth").failure().message,
             Catch::Contains("did you mean 'conv1.weight'"));
  CHECK(!read->values("bn1.num_batches_tracked"));
  CHECK(!read->counts("conv1.weight"));
  CHECK(!read->moment("conv1.weight", 1));
  CHECK(!read->moment("conv1.weight", -1));
  CHECK(!read->moment("bn1.running_mean", 0));
}

TEST_CASE("a cut at any of 100 places is found and names the file",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, somewhere);
  REQUIRE(path);
  const intact_files files{*path};
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto [file, byte] = place_of(files, i);
    INFO(files.paths[file] << " cut after " << byte << " bytes");
    write_bytes(files.paths[file], files.bytes[file].substr(0, byte));
    check_found(*path, files.paths[file]);
    write_bytes(files.paths[file], files.bytes[file]);
  }
  CHECK(checkpoint::open(*path));
}

TEST_CASE("a byte changed at any of 500 places is found and names the file",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, somewhere);
  REQUIRE(path);
  const intact_files files{*path};
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto [file, byte] = place_of(files, 1000 + i);
    const auto change =
      static_cast<char>(1 + uniform_below(make_random_key(4, "bit"), i, 255));
    auto bytes = files.bytes[file];
    bytes[byte] = static_cast<char>(bytes[byte] ^ change);
    INFO(files.paths[file] << " changed at " << byte);
    write_bytes(files.paths[file], bytes);
    check_found(*path, files.paths[file]);
    write_bytes(files.paths[file], files.bytes[file]);
  }
  CHECK(checkpoint::open(*path));
}

TEST_CASE("a missing or short file makes a checkpoint torn, another byte or "
          "one more corrupt",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const auto path = save(in.path(), 3, somewhere);
  REQUIRE(path);
  const intact_files files{*path};
  for (std::size_t i = 0; i < files.paths.size(); ++i) {
    INFO(files.paths[i]);
    fs::remove(files.paths[i]);
    CHECK(open_checkpoint(*path).state == checkpoint_state::torn);
    write_bytes(files.paths[i], files.bytes[i] + "\n");
    CHECK(open_checkpoint(*path).state == checkpoint_state::corrupt);
    write_bytes(files.paths[i], files.bytes[i]);
  }
  write_bytes(files.paths[1], files.bytes[1].substr(1));
  CHECK(open_checkpoint(*path).state == checkpoint_state::torn);
}

TEST_CASE("a shard's tensors have their shape, their kind's arrays and a name "
          "of their own",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  auto tensors = small_model{somewhere}.tensors(0);
  const std::vector<float> few(2);
  auto& weight = tensors[0];
  auto& mean = tensors[1];
  auto& counter = tensors[2];
  std::string why;
  SECTION("values") {
    weight.values = few;
    why = "tensor 'conv1.weight': values: wanted 12 elements, got 2";
  }
  SECTION("a moment") {
    weight.moments[0] = few;
    why = "tensor 'conv1.weight': a moment: wanted 12 elements, got 2";
  }
  SECTION("a moment too many") {
    mean.moments = {few};
    why = "tensor 'bn1.running_mean': wanted 0 moments, got 1";
  }
  SECTION("a counter of floats") {
    counter.values = few;
    why = "tensor 'bn1.num_batches_tracked': values: wanted 0 elements, got 2";
  }
  SECTION("a name twice") {
    mean.name = weight.name;
    mean.values = {};
    mean.extents = {0};
    why = "tensor 'conv1.weight': is there twice";
  }
  SECTION("a moment's name") {
    mean.name = "moment0:conv1.weight";
    why = "'moment0:conv1.weight' is no name of a tensor";
  }
  const auto refused = write_shard(in.path(), 0, 1, tensors);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::bad_value);
  CHECK(refused.failure().message == in / "shard-0-of-1.safetensors: " + why);
  CHECK(names_in(in.path()).empty());
}

TEST_CASE("a shard that is whole but not what the manifest says is corrupt",
          "[checkpoint][store]") {
  const scratch_folder in{memory_folder()};
  const small_model model{somewhere};
  auto store = checkpoint_store::open(in.path(), 1);
  REQUIRE(store);
  const auto part = store->begin(somewhere);
  REQUIRE(part);
  const auto shards = write_shards(model, *part);
  REQUIRE(shards);
  auto manifest = model.manifest(*shards);
  std::string why;
  SECTION("another shape") {
    manifest.tensors[0].extents = {12};
    why = "/shard-0-of-2.safetensors: tensor 'conv1.weight': is F32 [3, 1, 2, "
          "2], the manifest says F32 [12]";
  }
  SECTION("another dtype") {
    manifest.tensors[1].kind = tensor_kind::counter;
    why = "/shard-0-of-2.safetensors: tensor 'bn1.running_mean': is F32 [3], "
          "the manifest says I64 [3]";
  }
  SECTION("another shard") {
    manifest.tensors[0].shard = 1;
    why = "/shard-0-of-2.safetensors: 4 tensors, the manifest says 2";
  }
  SECTION("one more") {
    manifest.tensors.push_back({"more", {1}, tensor_kind::statistic, 1, 0});
    why = "/shard-1-of-2.safetensors: tensor 'more' of the manifest is not "
          "there";
  }
  SECTION("another number of moments") {
    manifest.moments = 2;
    why = "/shard-0-of-2.safetensors: tensor 'moment1:conv1.weight' of the "
          "manifest is not there";
  }
  const auto path = store->commit(manifest);
  REQUIRE(path);
  const auto opened = open_checkpoint(*path);
  CHECK(opened.state == checkpoint_state::corrupt);
  CHECK(opened.why.message == *path + why);
}
