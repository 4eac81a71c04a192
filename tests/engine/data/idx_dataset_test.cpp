#include "engine/data/idx_dataset.hpp"

#include "engine/base/random.hpp"
#include "tests/engine/data/idx_files.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>

using namespace pd;
using namespace pd::test;

namespace {

dataset_spec spec_of(const temporary_folder& folder) {
  dataset_spec spec;
  spec.name = "idx";
  spec.path = folder.path();
  spec.classes = 3;
  return spec;
}

void write_good(const temporary_folder& folder) {
  write_file(folder / images_name, good_images());
  write_file(folder / labels_name, good_labels());
}

bytes cut(bytes content, std::size_t count) {
  content.resize(content.size() - count);
  return content;
}

bytes joined(bytes content, const bytes& more) {
  content.insert(content.end(), more.begin(), more.end());
  return content;
}

/// Byte `at` (from the end if negative) with its bits turned.
bytes damaged(bytes content, int at) {
  const auto where = at < 0 ? static_cast<int>(content.size()) + at : at;
  content[static_cast<std::size_t>(where)] ^= 0xffU;
  return content;
}

/// What is wrong with one file (or with the spec), and what the error says.
struct broken_case {
  std::string name;
  std::string file; ///< empty: no file is written
  bytes content;
  std::string message;
  errc code = errc::bad_file;
  std::function<void(dataset_spec&)> change = [](dataset_spec&) {};
};

std::vector<broken_case> broken_images() {
  const auto& f = images_name;
  return {
    {"empty file", f, {}, "at byte 0: the file ends in the IDX magic number"},
    {"half a magic", f, {0, 0}, "wanted 4 bytes, got 2"},
    {"not IDX", f, bytes(16, 'x'), "at byte 0: not an IDX file: it begins"},
    {"type of floats", f, idx(0x0d, {3, 2, 2}, counting(12)),
     "at byte 2: type code 0d, wants 08"},
    {"images of rank 2", f, idx(8, {3, 4}, counting(12)),
     "at byte 3: rank 2, wants 3 or 4 for images"},
    {"images of rank 5", f, idx(8, {3, 2, 2, 1, 1}, counting(12)),
     "at byte 3: rank 5"},
    {"images of rank 255", f, {0, 0, 8, 255, 0}, "at byte 3: rank 255"},
    {"extents cut off",
     f,
     {0, 0, 8, 3, 0, 0, 0, 3, 0, 0},
     "at byte 10: the file ends in the extents: wanted 4 bytes, got 2"},
    {"no images", f, idx(8, {0, 2, 2}, {}), "at byte 4: extent 0 is 0"},
    {"no height", f, idx(8, {3, 0, 2}, {}), "at byte 8: extent 1 is 0"},
    {"data cut off", f, cut(good_images(), 5),
     "at byte 23: the file ends in the data: wanted 12 bytes, got 7"},
    {"no data", f, idx(8, {3, 2, 2}, {}), "wanted 12 bytes, got 0"},
    {"trailing byte", f, joined(good_images(), {0}),
     "at byte 28: bytes after the end of the data"},
    {"absurd extents", f,
     idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, counting(12)),
     "at byte 4: the extents ask for more than"},
    {"a lie of a terabyte", f, idx(8, {1U << 20U, 1U << 10U, 1U << 10U}, {1}),
     "wanted 1099511627776 bytes, got 1"},
    {"images too high", f, idx(8, {3, 5000, 1}, counting(15000)),
     "images of 5000 x 1 x 1"},
  };
}

std::vector<broken_case> broken_gzip() {
  const auto f = images_name + ".gz";
  const auto good = gzip(good_images());
  const auto big = gzip(idx(8, {3, 400, 400}, counting(480000)));
  return {
    {"gzip cut off in the sums", f, cut(good, 4), "the gzip stream is cut off"},
    {"gzip cut off before the sums", f, cut(good, 8),
     "at byte 28 of the decompressed data: the gzip stream is cut off"},
    {"gzip cut off early", f, cut(good, good.size() - 12), "is cut off"},
    {"only the mark of gzip", f, {0x1f, 0x8b}, "at byte 0 of the decompressed"},
    {"gzip of an unknown method", f, damaged(good, 2), "is corrupt"},
    {"gzip with a wrong checksum", f, damaged(good, -8),
     "at byte 28 of the decompressed data: the gzip stream is corrupt "
     "(incorrect data check)"},
    {"gzip with a wrong length", f, damaged(good, -1),
     "incorrect length check"},
    {"gzip damaged at once", f, damaged(good, 10), "is corrupt"},
    {"gzip damaged inside", f, damaged(big, static_cast<int>(big.size() / 2)),
     " of the decompressed data: the gzip stream is "},
    {"bytes after gzip", f, joined(good, {1, 2, 3}),
     "bytes that are not gzip after the gzip stream"},
    {"half a member after gzip", f, joined(good, {0x1f, 0x8b}), "cut off"},
    {"one more member after gzip", f, joined(good, gzip({0})),
     "at byte 28 of the decompressed data: bytes after the end"},
    {"data cut off in whole gzip", f, gzip(cut(good_images(), 5)),
     "at byte 23 of the decompressed data: the file ends in the data: wanted "
     "12 bytes, got 7"},
    {"a lie of a terabyte in gzip", f,
     gzip(idx(8, {1U << 20U, 1U << 10U, 1U << 10U}, {1})),
     "wanted 1099511627776 bytes, got 1"},
  };
}

std::vector<broken_case> broken_labels() {
  const auto& f = labels_name;
  return {
    {"labels of rank 2", f, idx(8, {3, 1}, {0, 1, 2}),
     "at byte 3: rank 2, wants 1 for labels"},
    {"labels cut off", f, idx(8, {3}, {0, 1}), "wanted 3 bytes, got 2"},
    {"labels fewer than images", f, idx(8, {2}, {0, 1}),
     "at byte 4: 2 labels, but"},
    {"label out of range", f, idx(8, {3}, {0, 1, 3}),
     "at byte 10: label 3 of sample 2, wants 0 ... 2"},
  };
}

std::vector<broken_case> broken_specs() {
  const auto bad = errc::bad_value;
  const auto rgb = idx(8, {3, 2, 2, 3}, counting(36));
  return {
    {"no path",
     "",
     {},
     "idx: needs data.path",
     bad,
     [](auto& spec) { spec.path.clear(); }},
    {"three channels to one", images_name, rgb,
     "the data has 3 channels; only one can be repeated", bad,
     [](auto& spec) { spec.channels = 1; }},
    {"negative height",
     "",
     {},
     "wants height and width in 1 ... 4096",
     bad,
     [](auto& spec) { spec.height = -1; }},
    {"huge width",
     "",
     {},
     "wants height and width in 1 ... 4096",
     bad,
     [](auto& spec) { spec.width = 1 << 30; }},
    {"std of zero",
     "",
     {},
     "std above 0",
     bad,
     [](auto& spec) { spec.scale.std = 0; }},
    {"negative classes",
     "",
     {},
     "classes = -1",
     bad,
     [](auto& spec) { spec.classes = -1; }},
    {"missing folder",
     "",
     {},
     "/none/train-images-idx3-ubyte: no such file",
     errc::io,
     [](auto& spec) { spec.path += "/none"; }},
    {"missing test split",
     "",
     {},
     "t10k-images-idx3-ubyte: no such file",
     errc::io,
     [](auto& spec) { spec.split = dataset_split::test; }},
  };
}

void check_broken(const broken_case& broken) {
  INFO(broken.name);
  const temporary_folder folder;
  write_good(folder);
  if (broken.file.ends_with(".gz"))
    std::filesystem::remove(folder / images_name);
  if (!broken.file.empty())
    write_file(folder / broken.file, broken.content);
  auto spec = spec_of(folder);
  broken.change(spec);
  const auto opened = open_dataset(spec);
  REQUIRE(!opened);
  INFO(opened.failure().message);
  CHECK(opened.failure().code == broken.code);
  CHECK(opened.failure().message.find(broken.message) != std::string::npos);
  CHECK(opened.failure().message.find(broken.file) != std::string::npos);
}

} // namespace

TEST_CASE("every broken IDX file is an error that names it and the offset",
          "[data][idx]") {
  for (const auto& table :
       {broken_images(), broken_gzip(), broken_labels(), broken_specs()})
    for (const auto& broken : table)
      check_broken(broken);
}

TEST_CASE("a folder in the place of a file is an error", "[data][idx]") {
  const temporary_folder folder;
  write_good(folder);
  std::filesystem::remove(folder / labels_name);
  std::filesystem::create_directory(folder / labels_name);
  const auto opened = open_dataset(spec_of(folder));
  REQUIRE(!opened);
  CHECK(opened.failure().message
        == (folder / labels_name) + ": not a regular file");
}

TEST_CASE("a file of random damage opens or is an error, and never crashes",
          "[data][idx]") {
  const temporary_folder folder;
  write_good(folder);
  std::filesystem::remove(folder / images_name);
  const auto good = gzip(good_images());
  const auto key = make_random_key(1, "damage");
  for (std::uint64_t i = 0; i < 500; ++i) {
    auto content = i % 2 == 0 ? good : good_images();
    for (std::uint64_t j = 0; j < 1 + i % 3; ++j) {
      const auto at = uniform_below(key, 8 * i + 2 * j, content.size());
      const auto value = uniform_below(key, 8 * i + 2 * j + 1, 256);
      content[at] = static_cast<std::uint8_t>(value);
    }
    write_file(folder / (images_name + ".gz"), content);
    const auto opened = open_dataset(spec_of(folder));
    if (!opened)
      CHECK(opened.failure().message.find(folder.path()) != std::string::npos);
  }
}

TEST_CASE("plain and gzip files, whole or in members, give the same images",
          "[data][idx]") {
  const auto whole = good_images();
  const bytes head{whole.begin(), whole.begin() + 9};
  const bytes tail{whole.begin() + 9, whole.end()};
  const std::vector<std::pair<std::string, bytes>> forms{
    {"", whole},
    {".gz", gzip(whole)},
    {".gz", joined(gzip(head), gzip(tail))},
    {".gz", whole}, // what it is called does not matter
  };
  for (const auto& [ending, content] : forms) {
    const temporary_folder folder;
    write_file(folder / (images_name + ending), content);
    write_file(folder / (labels_name + ".gz"), gzip(good_labels()));
    const auto opened = open_dataset(spec_of(folder));
    REQUIRE(opened);
    const auto& set = **opened;
    CHECK(set.size() == 3);
    CHECK(set.classes() == 3);
    CHECK(set.image() == image_extents{2, 2, 1});
    std::array<float, 4> image{};
    REQUIRE(set.read({2}, image));
    CHECK(image[1] == (63.0F / 255.0F - 0.5F) / 0.5F);
    CHECK(set.label(2) == 2);
  }
}

TEST_CASE("images of rank 4 become planes, one for each channel",
          "[data][idx]") {
  const temporary_folder folder;
  write_good(folder);
  write_file(folder / images_name, idx(8, {3, 2, 2, 3}, counting(36)));
  auto spec = spec_of(folder);
  spec.scale = {0, 1.0F / 255.0F}; // values are the bytes
  const auto opened = open_dataset(spec);
  REQUIRE(opened);
  CHECK((*opened)->image() == image_extents{2, 2, 3});
  std::array<float, 12> image{};
  REQUIRE((*opened)->read({0}, image));
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t p = 0; p < 4; ++p)
      CHECK(image[c * 4 + p] == Approx(static_cast<double>((p * 3 + c) * 7)));
}

TEST_CASE("without a count of classes there are as many as labels",
          "[data][idx]") {
  const temporary_folder folder;
  write_good(folder);
  write_file(folder / labels_name, idx(8, {3}, {7, 1, 2}));
  auto spec = spec_of(folder);
  spec.classes = 0;
  const auto opened = open_dataset(spec);
  REQUIRE(opened);
  CHECK((*opened)->classes() == 8);
}

TEST_CASE("an unknown dataset is an error that says what was meant",
          "[data][dataset]") {
  dataset_spec spec;
  spec.name = "fashion-mnst";
  const auto opened = open_dataset(spec);
  REQUIRE(!opened);
  CHECK(opened.failure().code == errc::unknown_name);
  CHECK(opened.failure().message
        == "no dataset 'fashion-mnst' (did you mean 'fashion-mnist'?); there "
           "are fashion-mnist, idx, image-folder, synthetic");
}

TEST_CASE("every dataset has a name and one line about it", "[data][dataset]") {
  CHECK(dataset_names().size() == 4);
  for (const auto& each : dataset_names()) {
    CHECK(!each.name.empty());
    CHECK(each.description.find('\n') == std::string::npos);
  }
}
