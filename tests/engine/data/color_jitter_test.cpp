#include "engine/data/color_jitter.hpp"

#include "tests/engine/data/image_goldens.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;
using namespace pd::test;

namespace {

float largest_difference(const std::vector<float>& a,
                         const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// "contrast=0.3" as a change.
color_jitter parse(const std::string& name) {
  const auto at = name.find('=');
  const auto what = name.substr(0, at);
  const auto factor = std::stof(name.substr(at + 1));
  color_jitter made;
  if (what == "brightness")
    made.brightness = factor;
  else if (what == "contrast")
    made.contrast = factor;
  else if (what == "saturation")
    made.saturation = factor;
  else
    made.hue = factor;
  return made;
}

} // namespace

TEST_CASE("each change of colour is torchvision's", "[data][color_jitter]") {
  const image_goldens all{"colors"};
  for (const auto& name : {"brightness=0.4", "brightness=1.7", "contrast=0.3",
                           "contrast=1.8", "saturation=0.0", "saturation=1.9",
                           "hue=-0.5", "hue=-0.17", "hue=0.31"}) {
    INFO(name);
    auto planes = all.numbers<float>("planes");
    change_colors(parse(name), 3, planes);
    CHECK(largest_difference(planes, all.numbers<float>(name)) < 2e-6F);
  }
}

TEST_CASE("changes of colour are made in the order that was drawn",
          "[data][color_jitter]") {
  const image_goldens all{"colors"};
  auto planes = all.numbers<float>("planes");
  change_colors({.brightness = 0.9F,
                 .contrast = 1.2F,
                 .saturation = 0.7F,
                 .hue = 0.1F,
                 .order = {color_change::hue, color_change::contrast,
                           color_change::brightness, color_change::saturation}},
                3, planes);
  CHECK(largest_difference(planes, all.numbers<float>("mixed")) < 3e-6F);
}

TEST_CASE("one channel has brightness and contrast only",
          "[data][color_jitter]") {
  const image_goldens all{"colors"};
  auto planes = all.numbers<float>("planes");
  planes.resize(planes.size() / 3);
  change_colors(
    {.brightness = 1.3F, .contrast = 0.6F, .saturation = 0.2F, .hue = 0.4F}, 1,
    planes);
  CHECK(largest_difference(planes, all.numbers<float>("one_channel")) < 2e-6F);
}
