#include "engine/data/image_reader.hpp"

#include "tests/engine/data/image_goldens.hpp"
#include "tests/support/scratch_folder.hpp"
#include "tools/image_folder/picture_writer.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace pd;
using namespace pd::test;

namespace {

/// So that an image is bytes as float.
picture_spec as_bytes() {
  picture_spec made;
  made.mean = {0, 0, 0};
  made.std = {1 / 255.0, 1 / 255.0, 1 / 255.0};
  return made;
}

/// Largest difference from u8 [h, w, 3].
float largest_difference(const std::vector<float>& planes,
                         std::span<const std::uint8_t> pixels) {
  REQUIRE(planes.size() == pixels.size());
  const auto plane = planes.size() / 3;
  float largest = 0;
  for (std::size_t i = 0; i < plane; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      largest =
        std::max(largest, std::abs(planes[c * plane + i]
                                   - static_cast<float>(pixels[3 * i + c])));
  return largest;
}

struct made_image {
  image_extents extents;
  std::vector<float> planes;
};

made_image blank(int height, int width, int channels = 3) {
  const image_extents extents{height, width, channels};
  return {extents,
          std::vector<float>(static_cast<std::size_t>(extents.elems()))};
}

/// From black to white, left to right or top to bottom.
picture gradient(int height, int width) {
  picture made{height, width, 3, {}};
  const auto pixels = static_cast<std::size_t>(std::int64_t{height} * width);
  for (std::size_t i = 0; i < pixels; ++i)
    made.pixels.insert(made.pixels.end(), 3,
                       static_cast<std::uint8_t>(256 * i / pixels));
  return made;
}

/// How far the evaluation image is from the gradient's middle at most; or why
/// there is none.
std::string far_from_grey(const picture& from, int shorter_side) {
  const scratch_folder at;
  REQUIRE(write_png(at / "long.png", from));
  auto image = blank(8, 8);
  image_reader by{{image.extents, shorter_side, as_bytes()}};
  const auto file = by.load(at / "long.png");
  REQUIRE(file);
  const auto done = by.read_for_evaluation(*file, image.planes);
  if (!done)
    return done.failure().message;
  const auto off = [](float x) { return std::abs(x - 127.5F) > 0.51F; };
  return std::ranges::any_of(image.planes, off) ? "far" : "";
}

} // namespace

TEST_CASE("a part of a picture is PIL's within one step of a byte",
          "[data][image_reader]") {
  const image_goldens all{"crops"};
  for (const auto& name : all.names(".box")) {
    INFO(name);
    const auto box = all.numbers<std::int32_t>(name + ".box");
    const auto shape = all.shape(name + ".image");
    auto image = blank(static_cast<int>(shape[0]), static_cast<int>(shape[1]));
    const image_size to{image.extents.height, image.extents.width};
    CHECK(eighths_for({box[2], box[3]}, to)
          == all.numbers<std::int32_t>(name + ".eighths")[0]);
    image_reader by{{image.extents, 0, as_bytes()}};
    REQUIRE(by.make(
      all.bytes("file"),
      {{box[0], box[1], box[2], box[3]}, to, {0, 0, to.height, to.width}},
      false, {}, image.planes));
    // PIL rounds between the axes and after them: half a step each.
    CHECK(largest_difference(image.planes, all.bytes(name + ".image")) < 1.01F);
  }
}

TEST_CASE("evaluation takes the middle that torchvision takes",
          "[data][image_reader]") {
  const image_goldens all{"crops"};
  auto image = blank(100, 101);
  image_reader by{{image.extents, 115, as_bytes()}};
  REQUIRE(by.read_for_evaluation(all.bytes("file"), image.planes));
  CHECK(largest_difference(image.planes, all.bytes("middle.image")) < 1.01F);
}

TEST_CASE("an odd margin is halved to even, as torchvision's CenterCrop",
          "[data][image_reader]") {
  const auto margins = [](const image_size& picture) {
    const auto part = middle_of(picture, 9, {4, 4, 3});
    REQUIRE(part);
    return std::pair{part->wanted.top, part->wanted.left};
  };
  CHECK(margins({9, 11}) == std::pair{2, 4}); // of 2.5 and 3.5
  CHECK(margins({13, 9}) == std::pair{4, 2}); // of 4.5 and 2.5
}

TEST_CASE("the middle of an extremely long picture is its middle",
          "[data][image_reader]") {
  for (const auto& [extent, shorter_side] :
       {std::pair{131072, 8192}, {1000000, 1024}, {300000, 8}}) {
    INFO(extent << " to " << shorter_side);
    CHECK(far_from_grey(gradient(1, extent), shorter_side).empty());
    CHECK(far_from_grey(gradient(extent, 1), shorter_side).empty());
  }
}

TEST_CASE("a picture that would be longer than numbers go is a broken file",
          "[data][image_reader]") {
  const std::string why = " pixels: resized so that the shorter side is 8192, "
                          "the longer one is above 1073741824";
  for (const int extent : {131073, 300000, 524288, 1000000})
    CHECK(far_from_grey(gradient(1, extent), 8192)
          == std::to_string(extent) + " x 1" + why);
  CHECK(far_from_grey(gradient(300000, 1), 8192) == "1 x 300000" + why);
}

TEST_CASE("a reader gives back what one large picture took",
          "[data][image_reader]") {
  const scratch_folder at;
  const auto path = at / "large.png";
  REQUIRE(write_png(path, {2100, 2100, 1, std::vector<std::uint8_t>(4410000)}));
  auto image = blank(8, 8, 1);
  image_reader by{{image.extents, 8, as_bytes()}};
  const auto read = [&](const std::string& name) {
    const auto file = by.load(name);
    REQUIRE(file);
    REQUIRE(by.read_for_evaluation(*file, image.planes));
  };
  read(path);
  CHECK(by.bytes() > std::size_t{4} * 4410000);
  by.shrink();
  CHECK(by.bytes() < kept_buffer_bytes);
  REQUIRE(write_png(path, gradient(200, 200)));
  read(path);
  const auto small = by.bytes();
  by.shrink();
  CHECK(by.bytes() == small); // what most pictures take stays
}

TEST_CASE("a mirrored image has its columns turned", "[data][image_reader]") {
  const image_goldens all{"crops"};
  const picture_part part{{5, 6, 70, 81}, {20, 23}, {0, 0, 20, 23}};
  auto plain = blank(20, 23);
  auto mirrored = plain;
  image_reader by{{plain.extents, 0, as_bytes()}};
  REQUIRE(by.make(all.bytes("file"), part, false, {}, plain.planes));
  REQUIRE(by.make(all.bytes("file"), part, true, {}, mirrored.planes));
  for (std::size_t row = 0; row < 60; ++row)
    for (std::size_t x = 0; x < 23; ++x)
      REQUIRE(plain.planes[row * 23 + x] == mirrored.planes[row * 23 + 22 - x]);
}

TEST_CASE("one channel is the luminance, normalized by the average",
          "[data][image_reader]") {
  const image_goldens all{"pictures"};
  const auto wanted = all.bytes("luminance");
  auto grey = blank(43, 61, 1);
  image_reader by{{grey.extents, 0, {}}};
  const picture_part whole{{0, 0, 43, 61}, {43, 61}, {0, 0, 43, 61}};
  REQUIRE(by.make(all.bytes("png_rgb.file"), whole, false, {}, grey.planes));
  double largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    largest = std::max(
      largest, std::abs((wanted[i] / 255.0 - (0.485 + 0.456 + 0.406) / 3)
                          / ((0.229 + 0.224 + 0.225) / 3)
                        - static_cast<double>(grey.planes[i])));
  CHECK(largest < 1e-6);
}

TEST_CASE("colours are changed before the image is normalized",
          "[data][image_reader]") {
  const image_goldens all{"pictures"};
  const picture_part whole{{0, 0, 43, 61}, {43, 61}, {0, 0, 43, 61}};
  auto made = blank(43, 61);
  image_reader by{{made.extents, 0, {}}};
  REQUIRE(by.make(all.bytes("png_rgb.file"), whole, false, {.brightness = 0.5F},
                  made.planes));
  const auto red = all.bytes("png_rgb.pixels")[0];
  CHECK(made.planes[0]
        == Approx((0.5 * red / 255 - 0.485) / 0.229).margin(1e-5));
}

TEST_CASE("a picture is decoded no smaller than it has to be",
          "[data][image_reader]") {
  CHECK(eighths_for({224, 224}, {224, 224}) == 8);
  CHECK(eighths_for({447, 900}, {224, 224}) == 8);
  CHECK(eighths_for({448, 448}, {224, 224}) == 4);
  CHECK(eighths_for({896, 896}, {224, 224}) == 2);
  CHECK(eighths_for({1792, 5000}, {224, 224}) == 1);
  CHECK(eighths_for({10, 10}, {224, 224}) == 8);
}
