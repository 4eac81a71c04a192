#include "engine/data/image_decoder.hpp"

#include "engine/base/random.hpp"
#include "tests/engine/data/image_goldens.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <zlib.h>

using namespace pd;
using namespace pd::test;

namespace {

using bytes = std::vector<std::uint8_t>;

/// A box of a picture as u8 [h, w, 3].
bytes colors_of(image_decoder& by, int eighths, const pixel_box& box) {
  const auto view = by.decode(eighths, box);
  if (!view)
    FAIL(view.failure().message);
  bytes made;
  for (int y = box.top; y < box.top + box.height; ++y)
    for (int x = box.left; x < box.left + box.width; ++x) {
      const auto* pixel =
        view->row(y) + std::ptrdiff_t{4} * (x - view->where.left);
      made.insert(made.end(), pixel, pixel + 3);
    }
  return made;
}

bytes decode_all(std::span<const std::uint8_t> file) {
  image_decoder by;
  const auto size = by.open(file);
  if (!size)
    FAIL(size.failure().message);
  return colors_of(by, 8, {0, 0, size->height, size->width});
}

/// The part `box` of u8 [h, width, 3].
bytes cut(const bytes& from, int width, const pixel_box& box) {
  bytes made;
  for (int y = box.top; y < box.top + box.height; ++y) {
    const auto begin =
      from.begin() + std::ptrdiff_t{3} * (y * width + box.left);
    made.insert(made.end(), begin, begin + std::ptrdiff_t{3} * box.width);
  }
  return made;
}

/// Random boxes of a picture at `eighths` are those of the whole.
void check_boxes(std::span<const std::uint8_t> file, int eighths) {
  image_decoder by;
  const auto size = by.open(file);
  REQUIRE(size);
  const int height = scaled_extent(size->height, eighths);
  const int width = scaled_extent(size->width, eighths);
  const auto all = colors_of(by, eighths, {0, 0, height, width});
  int wrong = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto drawn = [&](std::uint64_t n, int bound) {
      return static_cast<int>(
        uniform_below({7, i}, n, static_cast<std::uint64_t>(bound)));
    };
    const int h = 1 + drawn(0, height);
    const int w = 1 + drawn(1, width);
    const pixel_box box{drawn(2, height - h + 1), drawn(3, width - w + 1), h,
                        w};
    REQUIRE(by.open(file));
    wrong += colors_of(by, eighths, box) == cut(all, width, box) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

void put_big_endian(std::uint32_t value, std::uint8_t* at) {
  for (int shift = 24; shift >= 0; shift -= 8)
    *at++ = static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift));
}

/// Changes what the head of a PNG file says, and its sum.
void set_png_extents(bytes& file, std::uint32_t width, std::uint32_t height) {
  auto* head = file.data() + 12; // "IHDR", extents, 5 bytes more; the sum
  put_big_endian(width, head + 4);
  put_big_endian(height, head + 8);
  put_big_endian(static_cast<std::uint32_t>(::crc32(0, head, 17)), head + 17);
}

std::string why_not(std::span<const std::uint8_t> file) {
  image_decoder by;
  const auto size = by.open(file);
  if (!size)
    return size.failure().message;
  const auto view = by.decode(8, {0, 0, size->height, size->width});
  return view ? "" : view.failure().message;
}

} // namespace

TEST_CASE("a picture has PIL's pixels, whatever kind of file it is in",
          "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  for (const auto& name : all.names(".file")) {
    INFO(name);
    const auto wanted = all.bytes(name + ".pixels");
    const auto got = decode_all(all.bytes(name + ".file"));
    CHECK(got.size() == wanted.size());
    CHECK(std::ranges::equal(got, wanted));
  }
}

TEST_CASE("a box of a JPEG picture has the pixels that the whole has there",
          "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  const image_goldens crops{"crops"};
  for (const int eighths : {1, 2, 4, 8}) {
    INFO(eighths << " eighths");
    check_boxes(crops.bytes("file"), eighths);
    for (const auto& name : all.names(".file"))
      if (name.starts_with("jpeg")) {
        INFO(name);
        check_boxes(all.bytes(name + ".file"), eighths);
      }
  }
}

TEST_CASE("luminance is that of PIL's convert", "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  const auto from = all.bytes("luminance.of");
  const auto wanted = all.bytes("luminance");
  int wrong = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    wrong += luminance(from.data() + 3 * i) == wanted[i] ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("a picture that is cut off anywhere is an error",
          "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  for (const auto& name : all.names(".file")) {
    const auto file = all.bytes(name + ".file");
    int taken = 0;
    for (std::size_t n = 0; n < file.size(); n += 1 + n % 11)
      taken += why_not(file.first(n)).empty() ? 1 : 0;
    INFO(name);
    CHECK(taken == 0);
    CHECK(why_not(file.first(file.size() - 1)) != "");
  }
}

TEST_CASE("what is no picture says so", "[data][image_decoder]") {
  CHECK(why_not({}) == "an empty file");
  const bytes text{'h', 'e', 'l', 'l', 'o'};
  CHECK(why_not(text) == "neither JPEG nor PNG");
  const bytes begun{0xff, 0xd8, 0xff, 0xd9};
  CHECK_THAT(why_not(begun), Catch::StartsWith("JPEG: "));
  const image_goldens all{"pictures"};
  const auto file = all.bytes("jpeg_420.file");
  CHECK(why_not(file.first(file.size() / 2))
        == "JPEG: cut off, it has no end marker");
}

TEST_CASE("a picture that says it is huge is refused before it is decoded",
          "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  const auto file = all.bytes("png_rgb.file");
  bytes huge{file.begin(), file.end()};
  set_png_extents(huge, 1000000, 135);
  CHECK(why_not(huge) == "1000000 x 135 pixels, wants at most 134217728");
  set_png_extents(huge, 1000001, 1); // libpng's own bound
  CHECK_THAT(why_not(huge), Catch::StartsWith("PNG: "));
  const auto jpeg = all.bytes("jpeg_444.file");
  bytes wide{jpeg.begin(), jpeg.end()};
  const std::array<std::uint8_t, 2> frame{0xff, 0xc0};
  const auto at =
    std::search(wide.begin(), wide.end(), frame.begin(), frame.end());
  REQUIRE(at != wide.end());
  std::fill(at + 5, at + 9, std::uint8_t{0xfd});
  CHECK(why_not(wide) == "65021 x 65021 pixels, wants at most 134217728");
}

TEST_CASE("a picture with any byte changed is decoded or is an error",
          "[data][image_decoder]") {
  const image_goldens all{"pictures"};
  for (const auto& name : {"jpeg_420", "jpeg_progressive", "png_palette"}) {
    const auto file = all.bytes(name + std::string{".file"});
    bytes changed{file.begin(), file.end()};
    for (std::size_t i = 0; i < changed.size(); i += 3) {
      const auto kept = changed[i];
      changed[i] = static_cast<std::uint8_t>(philox({1, 2}, i)[0]);
      (void)why_not(changed);
      changed[i] = kept;
    }
    CHECK(why_not(changed).empty()); // and the decoder is as good as before
  }
}
