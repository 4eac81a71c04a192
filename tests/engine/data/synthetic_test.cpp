#include "engine/data/synthetic.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace pd;

namespace {

dataset_spec small_spec() {
  dataset_spec spec;
  spec.name = "synthetic";
  spec.height = 12;
  spec.width = 10;
  spec.channels = 1;
  spec.classes = 10;
  spec.seed = 7;
  spec.samples = 400;
  return spec;
}

std::unique_ptr<dataset> open_good(const dataset_spec& spec) {
  auto opened = open_dataset(spec);
  if (!opened)
    FAIL(opened.failure().message);
  return *std::move(opened);
}

std::vector<float> image_of(const dataset& set, std::int64_t index) {
  std::vector<float> image(static_cast<std::size_t>(set.image().elems()));
  REQUIRE(set.read({index}, image));
  return image;
}

using templates = std::vector<std::vector<float>>;

/// The mean image of each class.
templates class_means(const dataset& set) {
  const auto classes = static_cast<std::size_t>(set.classes());
  templates means(
    classes, std::vector<float>(static_cast<std::size_t>(set.image().elems())));
  const auto share =
    static_cast<float>(classes) / static_cast<float>(set.size());
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto image = image_of(set, i);
    auto& mean = means[static_cast<std::size_t>(set.label(i))];
    for (std::size_t j = 0; j < image.size(); ++j)
      mean[j] += share * image[j];
  }
  return means;
}

float distance(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

std::int32_t nearest_class(const templates& means,
                           const std::vector<float>& image) {
  std::int32_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t c = 0; c < means.size(); ++c) {
    const float far = distance(means[c], image);
    if (far < least)
      best = static_cast<std::int32_t>(c);
    least = std::min(least, far);
  }
  return best;
}

} // namespace

TEST_CASE("the nearest class mean of the training images classifies the test "
          "images",
          "[data][synthetic]") {
  auto spec = small_spec();
  const auto means = class_means(*open_good(spec));
  spec.split = dataset_split::test;
  const auto test = open_good(spec);
  int right = 0;
  for (std::int64_t i = 0; i < test->size(); ++i)
    right += nearest_class(means, image_of(*test, i)) == test->label(i) ? 1 : 0;
  CHECK(right > 95 * test->size() / 100);
}

TEST_CASE("a synthetic sample is a function of seed, split and index",
          "[data][synthetic]") {
  auto spec = small_spec();
  const auto image = image_of(*open_good(spec), 5);
  CHECK(image_of(*open_good(spec), 5) == image);
  CHECK(image_of(*open_good(spec), 15) != image); // of the same class
  spec.samples = 6;
  CHECK(image_of(*open_good(spec), 5) == image);
  spec.split = dataset_split::test;
  CHECK(image_of(*open_good(spec), 5) != image);
  spec.split = dataset_split::train;
  spec.seed = 8;
  CHECK(image_of(*open_good(spec), 5) != image);
}

TEST_CASE("a synthetic sample stays what it was", "[data][synthetic]") {
  const auto image = image_of(*open_good(small_spec()), 3);
  CHECK(image[0] == Approx(-1.99736F).epsilon(1e-5));
  CHECK(image[119] == Approx(-0.60467F).epsilon(1e-5));
}

TEST_CASE("synthetic classes are as many as asked for and of equal size",
          "[data][synthetic]") {
  auto spec = small_spec();
  spec.classes = 4;
  const auto set = open_good(spec);
  std::vector<int> counts(4);
  for (std::int64_t i = 0; i < set->size(); ++i)
    ++counts.at(static_cast<std::size_t>(set->label(i)));
  CHECK(counts == std::vector<int>(4, 100));
}

TEST_CASE("synthetic images have any size, of finite numbers about 0",
          "[data][synthetic]") {
  for (const auto& image : {image_extents{1, 1, 1}, image_extents{3, 5, 3},
                            image_extents{224, 224, 3}}) {
    auto spec = small_spec();
    spec.height = image.height;
    spec.width = image.width;
    spec.channels = image.channels;
    const auto set = open_good(spec);
    CHECK(set->image() == image);
    for (const auto x : image_of(*set, 1))
      REQUIRE(std::abs(x) < 3.0F); // sqrt(3) of the pattern and 1 of noise
  }
}

TEST_CASE("a synthetic set without extents or classes is refused",
          "[data][synthetic]") {
  auto no_image = small_spec();
  no_image.height = 0;
  CHECK(!open_dataset(no_image));
  auto no_channels = small_spec();
  no_channels.channels = -1;
  CHECK(!open_dataset(no_channels));
  auto no_classes = small_spec();
  no_classes.classes = 0;
  const auto opened = open_dataset(no_classes);
  REQUIRE(!opened);
  CHECK(opened.failure().message
        == "synthetic: classes = 0, wants 1 ... 1048576");
}
