#include "engine/data/image_choices.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

using namespace pd;

namespace {

choice_key sample(std::uint64_t index, std::uint64_t epoch = 0) {
  return {make_random_key(1, "image_folder", epoch), index};
}

bool is_within(const pixel_box& box, const image_size& picture) {
  return box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1
         && box.top + box.height <= picture.height
         && box.left + box.width <= picture.width;
}

} // namespace

TEST_CASE("a crop lies within the picture and has a share and a ratio that "
          "are allowed",
          "[data][image_choices]") {
  const augmentation from;
  double area = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const image_size picture{200 + static_cast<int>(i % 300),
                             300 + static_cast<int>(i % 170)};
    const auto box = choose_crop(sample(i), from, picture);
    REQUIRE(is_within(box, picture));
    const double share = static_cast<double>(box.height) * box.width
                         / picture.height / picture.width;
    const double ratio = static_cast<double>(box.width) / box.height;
    REQUIRE(share > 0.079);
    REQUIRE(ratio > 0.74);
    REQUIRE(ratio < 1.35);
    area += share;
  }
  CHECK(area / 2000 == Approx(0.43).margin(0.02)); // as torchvision's
}

TEST_CASE("where no try fits, the crop is the largest middle that may be",
          "[data][image_choices]") {
  const augmentation from;
  CHECK(choose_crop(sample(1), from, {10, 1000}) == pixel_box{0, 493, 10, 13});
  CHECK(choose_crop(sample(1), from, {1000, 9}) == pixel_box{494, 0, 12, 9});
  const augmentation whole{.crop_scale = {1, 1}, .crop_ratio = {1, 1}};
  CHECK(choose_crop(sample(1), whole, {70, 70}) == pixel_box{0, 0, 70, 70});
  CHECK(choose_crop(sample(1), from, {1, 1}) == pixel_box{0, 0, 1, 1});
}

TEST_CASE("choices are a function of seed, epoch and sample",
          "[data][image_choices]") {
  const augmentation from{.jitter = {0.4, 0.4, 0.4, 0.1}};
  const image_size picture{400, 500};
  CHECK(choose_crop(sample(5, 2), from, picture)
        == choose_crop(sample(5, 2), from, picture));
  CHECK(!(choose_crop(sample(5, 2), from, picture)
          == choose_crop(sample(5, 3), from, picture)));
  CHECK(!(choose_crop(sample(5, 2), from, picture)
          == choose_crop(sample(6, 2), from, picture)));
  CHECK(choose_jitter(sample(5, 2), from).hue
        != choose_jitter(sample(6, 2), from).hue);
}

TEST_CASE("half of the images are mirrored, or as many as the job says",
          "[data][image_choices]") {
  const auto share = [](double probability) {
    const augmentation from{.flip = probability};
    int mirrored = 0;
    for (std::uint64_t i = 0; i < 4000; ++i)
      mirrored += choose_flip(sample(i), from) ? 1 : 0;
    return mirrored / 4000.0;
  };
  CHECK(share(0.5) == Approx(0.5).margin(0.03));
  CHECK(share(0.1) == Approx(0.1).margin(0.02));
  CHECK(share(0) == 0);
  CHECK(share(1) == 1);
}

TEST_CASE("changes of colour are within their range, in every order",
          "[data][image_choices]") {
  const augmentation from{.jitter = {0.4, 1.5, 0, 0.1}};
  std::set<std::array<color_change, 4>> orders;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto chosen = choose_jitter(sample(i), from);
    REQUIRE(std::abs(chosen.brightness - 1) <= 0.4F);
    REQUIRE(chosen.contrast >= 0); // 1 - 1.5 is not
    REQUIRE(chosen.contrast <= 2.5F);
    REQUIRE(chosen.saturation == 1);
    REQUIRE(std::abs(chosen.hue) <= 0.1F);
    orders.insert(chosen.order);
  }
  CHECK(orders.size() == 24);
}

TEST_CASE("the choices of docs/data.md are made", "[data][image_choices]") {
  const augmentation from;
  CHECK(choose_crop(sample(7), from, {375, 500})
        == pixel_box{21, 14, 350, 353});
  CHECK(choose_flip(sample(7), from));
  CHECK(choose_crop(sample(123456, 2), from, {375, 500})
        == pixel_box{0, 142, 374, 347});
  CHECK(!choose_flip(sample(123456, 2), from));
  CHECK(choose_crop(sample(7), from, {20, 500}) == pixel_box{0, 236, 20, 27});
}
