/// `pd-engine checkpoints` and `pd-engine export`: what they print, write,
/// refuse, and exit with.

#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/checkpoint/safetensors.hpp"
#include "engine/checkpoint/shard.hpp"
#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <list>
#include <nlohmann/json.hpp>

using namespace pd;
using namespace pd::test;

namespace fs = std::filesystem;

namespace {

/// The initial weights of a network as a file, and as a checkpoint in two
/// shards of the directory "all".
class saved_network {
public:
  explicit saved_network(const scratch_folder& in, const char* model)
    : path_{in / "init.safetensors"}, directory_{in / "all"} {
    const auto job = in.write(
      "job.toml",
      std::string{"[model]\nname = \""} + model
        + "\"\nimage = [64, 64, 3]\n[data]\ndataset = \"synthetic\"\n");
    REQUIRE(run(in, {"init", job, "-o", path_}).status == 0);
    const auto file = read_safetensors(path_);
    REQUIRE(file);
    for (const auto& each : file->tensors)
      add(each);
  }

  [[nodiscard]] const std::string& weights() const { return path_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }

  /// The checkpoint's path.
  [[nodiscard]] std::string save(const checkpoint_position& at) const {
    auto store = checkpoint_store::open(directory_, 9);
    REQUIRE(store);
    const auto part = store->begin(at);
    REQUIRE(part);
    checkpoint_manifest manifest;
    manifest.name = "net";
    manifest.seed = 1;
    manifest.at = at;
    manifest.rule = "sgd";
    manifest.moments = 1;
    for (int i = 0; i < 2; ++i) {
      const auto shard = write_shard(*part, i, 2, half(i));
      REQUIRE(shard);
      manifest.shards.push_back(shard->file);
      for (const auto& each : shard->tensors)
        manifest.tensors.push_back(each);
    }
    const auto path = store->commit(manifest);
    REQUIRE(path);
    return *path;
  }

private:
  void add(const safetensor& from) {
    shard_tensor made{
      from.name, shape{from.shape}, tensor_kind::parameter, 0, {}, {}, {}};
    if (from.dtype == "I64") {
      made.kind = tensor_kind::counter;
      made.counts = counts_.emplace_back(*to_i64(from));
    } else {
      made.values = values_.emplace_back(*to_f32(from));
      made.moments = {made.values};
    }
    if (from.name.find("running_") != from.name.npos) {
      made.kind = tensor_kind::statistic;
      made.moments.clear();
    }
    tensors_.push_back(made);
  }

  [[nodiscard]] std::span<const shard_tensor> half(int which) const {
    const auto middle = tensors_.size() / 2;
    const std::span all{tensors_};
    return which == 0 ? all.first(middle) : all.subspan(middle);
  }

  std::string path_, directory_;
  std::list<std::vector<float>> values_;
  std::list<std::vector<std::int64_t>> counts_;
  std::vector<shard_tensor> tensors_;
};

nlohmann::json listed(const scratch_folder& in, const std::string& directory) {
  const auto done = run(in, {"checkpoints", directory, "--json"});
  REQUIRE(done.status == 0);
  return nlohmann::json::parse(done.out)["checkpoints"];
}

} // namespace

TEST_CASE("checkpoints lists position, size and state, newest first",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  const saved_network net{in, "lenet"};
  (void)net.save({1, 0});
  const auto middle = net.save({2, 3840});
  (void)net.save({3, 0});
  fs::rename(in / "all/e000003-s0000000000",
             in / "all/e000003-s0000000000.part");
  auto bytes = read(middle + "/shard-1-of-2.safetensors");
  bytes[bytes.size() / 2] ^= 1;
  write_bytes(middle + "/shard-1-of-2.safetensors", bytes);

  const auto list = listed(in, net.directory());
  REQUIRE(list.size() == 3);
  CHECK(list[0]["state"] == "torn");
  CHECK(list[1]["state"] == "corrupt");
  CHECK_THAT(list[1]["why"],
             Catch::StartsWith(middle + "/shard-1-of-2.safetensors: "));
  CHECK(list[1]["epoch"] == 2);
  CHECK(list[1]["samples"] == 3840);
  CHECK(list[2]["state"] == "whole");
  CHECK(list[2]["why"] == "");
  CHECK(list[2]["shards"] == 2);
  std::int64_t on_disk = 0;
  for (const auto& name : names_in(in / "all/e000001-s0000000000"))
    on_disk += static_cast<std::int64_t>(
      fs::file_size(in / "all/e000001-s0000000000/" + name));
  CHECK(list[2]["bytes"] == on_disk);

  const auto text = run(in, {"checkpoints", net.directory()});
  CHECK(text.status == 0);
  const auto lines = lines_of(text.out);
  REQUIRE(lines.size() == 3);
  CHECK_THAT(lines[1], Catch::StartsWith("e000002-s0000003840 "));
  CHECK_THAT(lines[1], Catch::Contains(" corrupt: " + middle));
  CHECK_THAT(lines[2], Catch::EndsWith(" whole"));
}

TEST_CASE("checkpoints of an empty directory are none, of no directory an "
          "error",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  CHECK(listed(in, in.path()).empty());
  const auto none = run(in, {"checkpoints", in / "none"});
  CHECK(none.status == 2);
  CHECK_THAT(none.err, Catch::Contains(in / "none: "));
}

TEST_CASE("what a checkpoint exports are the bytes of the weights it was made "
          "of",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  const saved_network net{in, "resnet18"};
  const auto path = net.save({1, 0});
  const auto output = in / "out.safetensors";
  const auto done = run(in, {"export", path, "-o", output});
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK_THAT(done.out, Catch::Contains(path));
  CHECK(read(output) == read(net.weights()));
}

TEST_CASE("a directory of checkpoints exports its newest whole one and says "
          "which",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  const saved_network net{in, "lenet"};
  const auto first = net.save({1, 0});
  const auto second = net.save({2, 0});
  fs::remove(second + "/shard-0-of-2.safetensors");
  const auto output = in / "out.safetensors";
  const auto done = run(in, {"export", net.directory(), "-o", output});
  REQUIRE(done.status == 0);
  CHECK_THAT(done.out, Catch::Contains(first));
  CHECK_THAT(done.err,
             Catch::Contains("torn: " + second + "/shard-0-of-2.safetensors"));
  CHECK(read(output) == read(net.weights()));
}

TEST_CASE("a torn or corrupt checkpoint is not exported and the line names the "
          "file",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  const saved_network net{in, "lenet"};
  const auto path = net.save({1, 0});
  const auto output = in / "out.safetensors";
  std::string from = path;
  std::string named = path + "/manifest.json: ";
  SECTION("no manifest") {
    fs::remove(path + "/manifest.json");
  }
  SECTION("another manifest") {
    write_bytes(path + "/manifest.json", "{}");
  }
  SECTION("a short shard") {
    named = path + "/shard-1-of-2.safetensors: ";
    fs::resize_file(path + "/shard-1-of-2.safetensors", 100);
  }
  SECTION("not finished") {
    from = named = path + ".part";
    fs::rename(path, from);
  }
  SECTION("none of a directory's is whole") {
    from = net.directory();
    named = from + ": none of its checkpoints is whole";
    fs::remove(path + "/manifest.json");
  }
  const auto done = run(in, {"export", from, "-o", output});
  CHECK(done.status == 2);
  CHECK_THAT(lines_of(done.err).back(),
             Catch::StartsWith("pd-engine: error: " + named));
  CHECK(!fs::exists(output));
}

TEST_CASE("what is no checkpoint is not exported",
          "[end_to_end][command][checkpoint]") {
  const scratch_folder in{memory_folder()};
  const auto output = in / "out.safetensors";
  for (const auto& from : {in.path(), in / "none", in.write("file", "")}) {
    const auto done = run(in, {"export", from, "-o", output});
    CHECK(done.status == 2);
    CHECK_THAT(done.err, Catch::Contains("error: " + from + ": "));
  }
}

TEST_CASE("torchvision takes exported weights in full, and Python reads a "
          "checkpoint without our code",
          "[end_to_end][command][checkpoint][slow]") {
  const std::string python = "/usr/bin/python3";
  const auto has = [&](const char* what) {
    const auto look = python
                      + " -c \"import importlib.util as u; exit(u.find_spec('"
                      + what + "') is None)\"";
    return std::system(look.c_str()) == 0;
  };
  if (!has("torchvision")) {
    WARN("skipped: /usr/bin/python3 has no torchvision (tools/install "
         "pytorch)");
    return;
  }
  if (!has("safetensors"))
    WARN("without the safetensors package: tests/golden/safetensors_file.py "
         "reads instead");
  const scratch_folder in{memory_folder()};
  const saved_network net{in, "resnet18"};
  const auto path = net.save({1, 640});
  REQUIRE(run(in, {"export", path, "-o", in / "out.safetensors"}).status == 0);
  const auto script =
    python + " " PD_SOURCE_DIR "/tests/end_to_end/load_checkpoint.py " + path
    + " " + in / "out.safetensors" + " resnet18";
  CHECK(std::system(script.c_str()) == 0);
}
