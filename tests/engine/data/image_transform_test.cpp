#include "engine/data/image_transform.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

using namespace pd;

namespace {

constexpr normalization fashion{0.2860F, 0.3530F};

/// Byte i is 37 i mod 256.
std::vector<std::uint8_t> made_pixels(std::int64_t count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(i * 37 % 256);
  return pixels;
}

std::vector<float> transformed(const std::vector<std::uint8_t>& pixels,
                               image_extents from, image_extents to,
                               normalization scale) {
  const auto transform = image_transform::make(from, to, scale);
  REQUIRE(transform);
  std::vector<float> image(static_cast<std::size_t>(to.elems()));
  transform->apply(pixels, image);
  return image;
}

void check_near(const std::vector<float>& got,
                const std::vector<float>& wanted) {
  REQUIRE(got.size() == wanted.size());
  float furthest = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    furthest = std::max(furthest, std::abs(got[i] - wanted[i]));
  CHECK(furthest < 1e-6F);
}

std::string refusal(image_extents from, image_extents to,
                    normalization scale = {}) {
  const auto made = image_transform::make(from, to, scale);
  REQUIRE(!made);
  CHECK(made.failure().code == errc::bad_value);
  return made.failure().message;
}

/// What PyTorch makes of made_pixels().
struct resize_golden {
  image_extents from;
  image_extents to;
  std::vector<float> wanted;
};

} // namespace

TEST_CASE("without a resize a pixel is (v / 255 - mean) / std, exactly",
          "[data][transform]") {
  const auto image =
    transformed({0, 51, 255, 128}, {2, 2, 1}, {2, 2, 1}, fashion);
  CHECK(image[0] == (0.0F - 0.2860F) / 0.3530F);
  CHECK(image[1] == (51.0F / 255.0F - 0.2860F) / 0.3530F);
  CHECK(image[2] == (1.0F - 0.2860F) / 0.3530F);
  CHECK(image[3] == (128.0F / 255.0F - 0.2860F) / 0.3530F);
}

TEST_CASE("a resize from two positions to four puts weights at the quarters",
          "[data][transform]") {
  const auto taps = make_resize_taps(2, 4);
  REQUIRE(taps.size() == 4);
  const std::vector<float> beyond{0.0F, 0.25F, 0.75F, 0.25F};
  const std::vector<int> first{0, 0, 0, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(taps[i].first == first[i]);
    CHECK(taps[i].second == 1);
    CHECK(taps[i].second_weight == beyond[i]);
    CHECK(taps[i].first_weight == 1.0F - beyond[i]);
  }
}

TEST_CASE("a resize computed by hand gives its values", "[data][transform]") {
  const normalization bytes{0.0F, 1.0F / 255.0F};
  const auto image =
    transformed({0, 100, 200, 40}, {2, 2, 1}, {1, 4, 1}, bytes);
  // The row between the two: 100, 70; then a quarter and three of the way.
  const std::vector<float> wanted{100.0F, 92.5F, 77.5F, 70.0F};
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(image[i] == Approx(wanted[i]).epsilon(1e-6));
}

TEST_CASE("a resize gives PyTorch's values", "[data][transform]") {
  // interpolate(x / 255, bilinear, align_corners=False), (y - 0.286) / 0.353;
  // Debian's PyTorch 1.13.
  const std::vector<resize_golden> goldens{
    {{3, 2, 1},
     {5, 4, 1},
     {-0.810198367F, -0.707437694F, -0.501916409F, -0.399155736F,
      -0.48136425F,  -0.378603578F, -0.173082277F, -0.0703215823F,
      0.0118869906F, 0.114647597F,  0.320168883F,  0.422929496F,
      0.505138159F,  0.607898831F,  0.813420057F,  0.91618067F,
      0.833972156F,  0.936732769F,  1.14225411F,   1.24501479F}},
    {{5, 6, 1},
     {3, 2, 1},
     {-0.525060654F, 0.708067238F, 1.68938494F, 0.0785424635F, 1.05986047F,
      -0.550982237F}},
    {{3, 5, 1},
     {1, 7, 1},
     {1.24501479F, 1.47989631F, 0.960934997F, -0.776870608F, -0.483268648F,
      -0.189666793F, 0.0452146828F}},
    {{1, 1, 1}, {2, 3, 1}, std::vector<float>(6, -0.810198367F)},
    {{2, 3, 1},
     {2, 5, 1},
     {-0.810198367F, -0.645781338F, -0.399155676F, -0.152530104F, 0.0118869059F,
      0.422929496F, 0.587346554F, 0.833972156F, 1.08059776F, 1.24501479F}},
  };
  for (const auto& [from, to, wanted] : goldens) {
    INFO(to_string(from) << " to " << to_string(to));
    check_near(transformed(made_pixels(from.elems()), from, to, fashion),
               wanted);
  }
}

TEST_CASE("one channel is repeated, with and without a resize",
          "[data][transform]") {
  for (const int extent : {4, 7}) {
    const auto one =
      transformed(made_pixels(16), {4, 4, 1}, {extent, extent, 1}, fashion);
    const auto three =
      transformed(made_pixels(16), {4, 4, 1}, {extent, extent, 3}, fashion);
    REQUIRE(three.size() == 3 * one.size());
    for (std::size_t i = 0; i < three.size(); ++i)
      CHECK(three[i] == one[i % one.size()]);
  }
}

TEST_CASE("each channel of a colour image is resized on its own",
          "[data][transform]") {
  const auto pixels = made_pixels(60);
  const auto image = transformed(pixels, {4, 5, 3}, {6, 3, 3}, fashion);
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<std::uint8_t> plane;
    for (std::size_t i = c; i < pixels.size(); i += 3)
      plane.push_back(pixels[i]);
    const auto alone = transformed(plane, {4, 5, 1}, {6, 3, 1}, fashion);
    for (std::size_t i = 0; i < alone.size(); ++i)
      CHECK(image[c * alone.size() + i] == alone[i]);
  }
}

TEST_CASE("a resize of the largest image stays inside it",
          "[data][transform]") {
  const image_extents wide{2, max_image_extent, 1};
  const auto pixels =
    std::vector<std::uint8_t>(static_cast<std::size_t>(wide.elems()), 255);
  for (const auto& to : {image_extents{3, max_image_extent, 1},
                         image_extents{1, 1, 1}, image_extents{5, 4095, 1}})
    for (const auto x : transformed(pixels, wide, to, {0, 1}))
      REQUIRE(x == Approx(1.0));
}

TEST_CASE("images that cannot be made are refused", "[data][transform]") {
  CHECK(refusal({4, 4, 3}, {4, 4, 1})
        == "image [4, 4, 1]: the data has 3 channels; only one can be "
           "repeated");
  CHECK(refusal({4, 4, 2}, {4, 4, 3}).find("2 channels") != std::string::npos);
  CHECK(refusal({4, 4, 1}, {0, 4, 1}).find("[0, 4, 1]") != std::string::npos);
  CHECK(refusal({4, 4, 1}, {4, 4097, 1}).find("4096") != std::string::npos);
  CHECK(refusal({4, 4, 1}, {4, 4, 1}, {0, 0}).find("std") != std::string::npos);
  CHECK(refusal({4, 4, 1}, {4, 4, 1}, {NAN, 1}).find("mean")
        != std::string::npos);
}
