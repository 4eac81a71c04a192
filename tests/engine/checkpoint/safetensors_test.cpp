#include "engine/checkpoint/safetensors.hpp"

#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sys/stat.h>

using namespace pd;
using namespace pd::test;

namespace {

namespace fs = std::filesystem;

std::string golden_path() {
  return PD_SOURCE_DIR "/tests/golden/safetensors_reference.safetensors";
}

/// A file with this header, and so many bytes of data after it.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + std::string(data_bytes, '\1');
}

auto parse_text(const std::string& text) {
  return parse_safetensors(std::as_bytes(std::span{text}), "x.safetensors");
}

template <class T>
safetensor tensor_of(const char* dtype, const std::vector<T>& values) {
  return {"t",
          dtype,
          {static_cast<std::int64_t>(values.size())},
          std::as_bytes(std::span{values})};
}

} // namespace

TEST_CASE("a file of the reference implementation is read as it was meant",
          "[checkpoint][safetensors]") {
  const auto file = read_safetensors(golden_path());
  REQUIRE(file);
  CHECK(file->metadata == safetensors_metadata{{"format", "pt"}});
  CHECK(file->tensors.size() == 11);

  const auto* weight = file->find("conv1.weight");
  REQUIRE(weight != nullptr);
  CHECK(weight->dtype == "F32");
  CHECK(weight->shape == std::vector<std::int64_t>{2, 3, 1, 2});
  const auto values = to_f32(*weight);
  REQUIRE(values);
  CHECK(values->front() == -0.5F);
  CHECK(values->back() == 0.875F);

  const auto* counter = file->find("bn1.num_batches_tracked");
  REQUIRE(counter != nullptr);
  CHECK(counter->shape.empty());
  CHECK(*to_i64(*counter) == std::vector<std::int64_t>{7});

  const auto infinity = std::numeric_limits<float>::infinity();
  CHECK(*to_f32(*file->find("half"))
        == std::vector<float>{0, 1, -2, 65504, 0x1p-24F, infinity});
  CHECK(*to_f32(*file->find("double")) == std::vector<float>{1.5F, -0.25F});
  CHECK(*to_i64(*file->find("i8")) == std::vector<std::int64_t>{-128, 127});
  CHECK(*to_i64(*file->find("bytes"))
        == std::vector<std::int64_t>{0, 127, 255});
  CHECK(file->find("empty")->bytes.empty());
  CHECK(file->find("\u03c0 \"quoted\"\n") != nullptr);
  CHECK(file->find("conv1") == nullptr);
}

TEST_CASE("writing what was read gives the reference's bytes",
          "[checkpoint][safetensors]") {
  const scratch_folder folder;
  const auto path = folder / "again.safetensors";
  const auto file = read_safetensors(golden_path());
  REQUIRE(file);
  REQUIRE(write_safetensors(path, file->tensors, file->metadata));
  CHECK(read(path) == read(golden_path()));
}

TEST_CASE("a file read back is the file written", "[checkpoint][safetensors]") {
  const scratch_folder folder;
  const auto path = folder / "x.safetensors";
  const std::vector<float> weights{1, -2, 3.5F, 0, 5, 6};
  const std::vector<std::int64_t> counter{41};
  const std::vector tensors{
    make_safetensor("b", shape{2, 3}, weights),
    make_safetensor("a", shape{}, counter),
    make_safetensor("none", shape{0, 3}, std::span<const float>{})};
  const safetensors_metadata metadata{{"epoch", "3"}, {"job", "x = \"y\"\n"}};
  REQUIRE(write_safetensors(path, tensors, metadata));

  const auto file = read_safetensors(path);
  REQUIRE(file);
  CHECK(file->metadata == metadata);
  CHECK(*to_f32(*file->find("b")) == weights);
  CHECK(*to_i64(*file->find("a")) == counter);
  CHECK(file->find("none")->shape == std::vector<std::int64_t>{0, 3});
  CHECK(read(path).size() % 8 == 0);
  CHECK(names_in(folder.path()).size() == 1);
}

TEST_CASE("the bytes of a file do not depend on the order of its tensors",
          "[checkpoint][safetensors]") {
  const std::vector<float> x{1, 2};
  const std::vector<std::int64_t> n{3};
  const auto a = make_safetensor("a", shape{2}, x);
  const auto b = make_safetensor("b", shape{1}, n);
  const auto one = lay_out_safetensors(std::vector{a, b}, {});
  const auto other = lay_out_safetensors(std::vector{b, a}, {});
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->header == other->header);
  CHECK(one->tensors.front().name == "b"); // the wider
}

TEST_CASE("a file without tensors is a file", "[checkpoint][safetensors]") {
  const auto file = parse_text(file_of("{}", 0));
  REQUIRE(file);
  CHECK(file->tensors.empty());
}

TEST_CASE("fields that the format does not know are skipped",
          "[checkpoint][safetensors]") {
  const auto file = parse_text(
    file_of(R"({"a":{"note":{"shape":[1,{"dtype":2}],"x":null},"dtype":"U8",)"
            R"("shape":[2],"data_offsets":[0,2],"more":[[1.5],true]}}  )",
            2));
  REQUIRE(file);
  CHECK(file->find("a")->shape == std::vector<std::int64_t>{2});
}

TEST_CASE("a bf16 or half element is converted exactly",
          "[checkpoint][safetensors]") {
  const std::vector<std::uint16_t> brain{0x3f80, 0xc000, 0x7f80};
  CHECK(*to_f32(tensor_of("BF16", brain))
        == std::vector<float>{1, -2, std::numeric_limits<float>::infinity()});
  const std::vector<std::uint16_t> half{0x8001, 0x03ff, 0x0400, 0xfbff};
  CHECK(*to_f32(tensor_of("F16", half))
        == std::vector<float>{-0x1p-24F, 1023 * 0x1p-24F, 0x1p-14F, -65504});
  const std::vector<std::uint16_t> odd{0x7e00, 0x8000};
  const auto values = *to_f32(tensor_of("F16", odd));
  CHECK(std::isnan(values[0]));
  CHECK(std::signbit(values[1]));
}

TEST_CASE("a tensor of another dtype or size is not converted",
          "[checkpoint][safetensors]") {
  const std::vector<std::int64_t> n{1, 2};
  const auto counter = make_safetensor("n", shape{2}, n);
  CHECK(to_f32(counter).failure().message
        == "tensor 'n': wanted F32, BF16, F16 or F64, got 'I64'");
  const std::vector<float> x{1, 2};
  const auto weights = make_safetensor("w", shape{2}, x);
  CHECK(to_i64(weights).failure().message
        == "tensor 'w': wanted I64, I32, I16, I8 or U8, got 'F32'");
  std::vector<float> three(3);
  CHECK(copy_f32(weights, three).failure().message
        == "tensor 'w': wanted 3 elements, got 2");
}

TEST_CASE("what breaks the format is not written",
          "[checkpoint][safetensors]") {
  const std::vector<float> x{1, 2};
  const auto good = make_safetensor("a", shape{2}, x);
  const auto fails = [](std::vector<safetensor> tensors,
                        const safetensors_metadata& metadata = {}) {
    const auto made = lay_out_safetensors(tensors, metadata);
    return made ? "" : made.failure().message;
  };
  CHECK(fails({good, good}) == "tensor 'a': is there twice");
  CHECK(fails({make_safetensor("a", shape{3}, x)})
        == "tensor 'a': F32 [3] has 12 bytes, got 8");
  CHECK(fails({make_safetensor("__metadata__", shape{2}, x)})
        == "tensor '__metadata__': the format keeps this name for itself");
  CHECK(fails({{"a", "F31", {2}, good.bytes}})
        == "tensor 'a': unknown dtype 'F31'");
  CHECK(fails({{"\xff", "F32", {2}, good.bytes}}) == "'\xff': not UTF-8");
  CHECK(fails({good}, {{"k", "\xc3"}}) == "'\xc3': not UTF-8");
}

TEST_CASE("a file that cannot be written leaves nothing behind",
          "[checkpoint][safetensors]") {
  const scratch_folder folder;
  const std::vector<float> x{1, 2};
  const std::vector tensors{make_safetensor("a", shape{2}, x)};
  const auto missing = folder / "missing/x.safetensors";
  const auto failed = write_safetensors(missing, tensors);
  REQUIRE(!failed);
  CHECK(failed.failure().code == errc::io);
  CHECK(failed.failure().message.ends_with("No such file or directory"));

  fs::create_directory(folder / "taken");
  CHECK(!write_safetensors(folder / "taken", tensors));
  CHECK(names_in(folder.path()).size() == 1);
}

TEST_CASE("a path that is no regular file is refused",
          "[checkpoint][safetensors]") {
  const scratch_folder folder;
  const auto missing = read_safetensors(folder / "none");
  REQUIRE(!missing);
  CHECK(missing.failure().code == errc::io);
  CHECK(missing.failure().message
        == folder / "none" + ": cannot open: No such file or directory");
  CHECK(read_safetensors("/dev/null").failure().message
        == "/dev/null: cannot open: not a regular file");
  CHECK(!read_safetensors(folder / ""));
  std::ofstream{folder / "empty"}.flush();
  CHECK(read_safetensors(folder / "empty")
          .failure()
          .message.ends_with("too short: wanted at least 8 bytes, got 0"));
}

TEST_CASE("a file is written through a link, and no device is replaced",
          "[checkpoint][safetensors]") {
  const scratch_folder folder;
  const auto target = folder.write("target", "old");
  fs::create_symlink(target, folder / "link");
  REQUIRE(write_safetensors(folder / "link", {}));
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_safetensors(target));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const auto refused = write_safetensors(folder / "pipe", {});
  REQUIRE(!refused);
  CHECK(refused.failure().message
        == folder / "pipe" + ": cannot write: not a regular file");
  CHECK(fs::is_fifo(folder / "pipe"));
}

TEST_CASE("every truncation of a file is refused",
          "[checkpoint][safetensors]") {
  const auto whole = read(golden_path());
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(!parse_text(whole.substr(0, size)));
  CHECK(!parse_text(whole + "x"));
  CHECK(parse_text(whole));
}
