/// A manifest is read as it was printed, or refused by what is wrong with it.

#include "engine/checkpoint/manifest.hpp"

#include "engine/checkpoint/content_hash.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace pd;

namespace {

const std::string hash = "0123456789abcdef0123456789abcdef";

checkpoint_manifest example() {
  checkpoint_manifest made;
  made.name = "net \"quoted\" \u03c0";
  made.job = "name = \"net\"\n";
  made.seed = std::numeric_limits<std::uint64_t>::max();
  made.at = {2, 3840};
  made.data = {"image-folder", 60000, false};
  made.rule = "adam";
  made.moments = 2;
  made.shards = {{shard_file(0, 2), 1000, hash}, {shard_file(1, 2), 0, hash}};
  made.tensors = {
    {"conv1.weight", {6, 1, 5, 5}, tensor_kind::parameter, 0, 120},
    {"bn1.running_mean", {6}, tensor_kind::statistic, 0, 0},
    {"bn1.num_batches_tracked", {}, tensor_kind::counter, 1, 0},
    {"empty", {0, 3}, tensor_kind::parameter, 1, 120}};
  return made;
}

std::string printed() {
  const auto text = print_manifest(example());
  REQUIRE(text);
  return *text;
}

/// A text with the right checksum, whatever is behind it.
std::string sealed(const std::string& body) {
  return "{\n  \"checksum\": \"" + hash_of(body) + body;
}

/// The example with one text in it replaced by another, sealed again.
std::string changed(const std::string& from, const std::string& to) {
  auto body = printed().substr(printed().find("\",\n"));
  const auto at = body.find(from);
  INFO(from);
  REQUIRE(at != body.npos);
  return sealed(body.replace(at, from.size(), to));
}

std::string refusal(const std::string& text) {
  const auto read = parse_manifest(text, "m.json");
  REQUIRE(!read);
  REQUIRE(read.failure().code == errc::bad_file);
  REQUIRE_THAT(read.failure().message, Catch::StartsWith("m.json: "));
  return read.failure().message.substr(8);
}

} // namespace

TEST_CASE("a manifest read back is the manifest printed",
          "[checkpoint][manifest]") {
  const auto read = parse_manifest(printed(), "m.json");
  REQUIRE(read);
  CHECK(*read == example());
  CHECK(read->find("empty")->shard == 1);
  CHECK(read->find("conv1") == nullptr);
}

TEST_CASE("any bit of a manifest that is flipped, and any cut, is found",
          "[checkpoint][manifest]") {
  const auto text = printed();
  for (std::size_t i = 0; i < text.size(); ++i) {
    CHECK(!parse_manifest(text.substr(0, i), "m.json"));
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto other = text;
      other[i] = static_cast<char>(other[i] ^ (1U << bit));
      if (parse_manifest(other, "m.json"))
        FAIL("bit " << bit << " of byte " << i);
    }
  }
  CHECK(!parse_manifest(text + "\n", "m.json"));
}

TEST_CASE("the hash is the reference implementation's",
          "[checkpoint][manifest]") {
  // python3 -c 'import xxhash; print(xxhash.xxh3_128_hexdigest(b"abc"))'
  CHECK(hash_of(std::string{"abc"}) == "06b05ab6733a618578af5f94892f3950");
  CHECK(hash_of(std::string{}) == "99aa06d3014798d86001c324468d497f");
  content_hash parts;
  parts.add(std::as_bytes(std::span{"ab", 2}));
  parts.add(std::as_bytes(std::span{"c", 1}));
  CHECK(parts.digits() == "06b05ab6733a618578af5f94892f3950");
}

TEST_CASE("a manifest names no file but its shards", "[checkpoint][manifest]") {
  for (const std::string file :
       {"../shard-0-of-2.safetensors", "/etc/passwd", "..", "", "a/b",
        "shard-1-of-2.safetensors", "shard-0-of-3.safetensors",
        "shard-00-of-2.safetensors", "shard-0-of-2.safetensors\\u0000"}) {
    const auto text = changed("shard-0-of-2.safetensors", file);
    CHECK_THAT(refusal(text), Catch::StartsWith("shards[0]: file: wanted "
                                                "'shard-0-of-2.safetensors'"));
  }
}

TEST_CASE("what is wrong in a manifest is told by its place",
          "[checkpoint][manifest]") {
  struct wrong {
    const char *from, *to, *why;
  };
  const auto [from, to, why] = GENERATE(values<wrong>({
    {"\"format\": \"pd-engine", "\"format\": \"other",
     "format: wanted 'pd-engine checkpoint', got 'other checkpoint'"},
    {"\"version\": 1", "\"version\": 2", "version: wanted 1, got 2"},
    {"\"epoch\": 2", "\"epoch\": -2",
     "epoch: wanted a whole number of at least 0, got -2"},
    {"\"epoch\": 2", "\"epoch\": 2.5",
     "epoch: wanted a whole number of at least 0, got 2.5"},
    {"\"samples\": 3840", "\"samples\": 9223372036854775808",
     "samples: wanted at most 9223372036854775807, got 9223372036854775808"},
    {"\"seed\": ", "\"sead\": ", "seed: is missing"},
    {"\"moments\": 2", "\"moments\": 9", "moments: wanted at most 8, got 9"},
    {"\"rule\": \"adam\"", "\"rule\": null", "rule: wanted a text, got null"},
    {"\"bytes\":1000", "\"bytes\":\"1000\"",
     "shards[0]: bytes: wanted a whole number of at least 0, got '1000'"},
    {"\"xxh3_128\":\"0", "\"xxh3_128\":\"X",
     "shards[0]: xxh3_128: wanted 32 hexadecimal digits"},
    {"\"kind\":\"statistic\"", "\"kind\":\"other\"",
     "tensors[1]: kind: wanted parameter, statistic or counter, got 'other'"},
    {"\"shape\":[6,1,5,5]", "\"shape\":[6,1,5,-5]",
     "tensors[0]: shape[3]: wanted a whole number of at least 0, got -5"},
    {"\"shape\":[6,1,5,5]", "\"shape\":[1,1,1,1,1,1,1]",
     "tensors[0]: shape: wanted at most 6 extents, got 7"},
    {"\"shape\":[6,1,5,5]", "\"shape\":[4611686018427387904,4]",
     "tensor 'conv1.weight': shape: [4611686018427387904, 4] is negative or "
     "too large"},
    {"\"shape\":[6,1,5,5]", "\"shape\":{}",
     "tensors[0]: shape: wanted a list, got an object"},
    {"\"shard\":1", "\"shard\":2",
     "tensor 'bn1.num_batches_tracked': shard: wanted one of 2, got 2"},
    {"\"shard\":1", "\"shard\":4294967297",
     "tensors[2]: shard: wanted at most 2147483647"},
    {"bn1.running_mean", "conv1.weight",
     "tensor 'conv1.weight': is there twice"},
    {"bn1.running_mean", "moment0:conv1.weight",
     "tensor 'moment0:conv1.weight': 'moment0:conv1.weight' is no name"},
    {"bn1.running_mean", "", "tensor '': '' is no name of a tensor"},
    {"{\"name\":\"empty\"", "7, {\"name\":\"empty\"",
     "tensors[3]: wanted an object, got 7"},
  }));
  CHECK_THAT(refusal(changed(from, to)), Catch::StartsWith(why));
}

TEST_CASE("a text that is sealed but no manifest is refused",
          "[checkpoint][manifest]") {
  const std::string deep(1'000'000, '[');
  for (const auto& body :
       {std::string{}, std::string{"\"}"}, std::string{"\"} {}"},
        std::string{"\", \"shards\": []}"}, "\", \"format\": " + deep,
        std::string{"\", \"format\": 1e999}"}, std::string{"\", \"\xff\": 1}"}})
    CHECK(!refusal(sealed(body)).empty());
  CHECK_THAT(refusal(""), Catch::Contains("does not begin as a manifest"));
  CHECK_THAT(refusal("{\n  \"checksum\": \"0123"),
             Catch::Contains("does not begin as a manifest"));
}

TEST_CASE("a manifest that could not be read back is not printed",
          "[checkpoint][manifest]") {
  auto wrong = example();
  SECTION("not UTF-8") {
    wrong.name = "\xff";
  }
  SECTION("no shard") {
    wrong.shards.clear();
    wrong.tensors.clear();
  }
  SECTION("another file") {
    wrong.shards[0].file = "x";
  }
  SECTION("no hash") {
    wrong.shards[0].hash = "";
  }
  SECTION("a tensor of no shard") {
    wrong.tensors[0].shard = 2;
  }
  SECTION("a tensor twice") {
    wrong.tensors[0].name = "empty";
  }
  SECTION("negative") {
    wrong.at.epoch = -1;
  }
  SECTION("too many moments") {
    wrong.moments = max_moments + 1;
  }
  const auto refused = print_manifest(wrong);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::bad_value);
}

TEST_CASE("names of shards are known from others", "[checkpoint][manifest]") {
  for (const auto* name :
       {"shard-0-of-1.safetensors", "shard-12-of-345.safetensors"})
    CHECK(is_shard_file(name));
  for (const auto* name :
       {"", "shard-", "shard--of-1.safetensors", "shard-0-of-.safetensors",
        "shard-0-of-1", "shard-0-of-1.safetensors.bak", "shard-0.safetensors",
        "shard-x-of-1.safetensors", "shard-0-of-1-of-2.safetensors",
        "shard-0-of-safetensors", "shard-0-of.safetensors"})
    CHECK(!is_shard_file(name));
}
