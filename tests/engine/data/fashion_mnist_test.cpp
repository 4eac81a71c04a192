#include "engine/data/batch.hpp"
#include "engine/data/idx_dataset.hpp"
#include "engine/data/sampler.hpp"
#include "tests/engine/data/idx_files.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <numeric>

using namespace pd;
using namespace pd::test;

namespace {

std::unique_ptr<dataset> open_split(dataset_split split) {
  dataset_spec spec;
  spec.name = "fashion-mnist";
  spec.split = split;
  auto opened = open_dataset(spec);
  if (!opened)
    FAIL(opened.failure().message);
  return *std::move(opened);
}

std::array<int, 10> histogram(const dataset& set) {
  std::array<int, 10> counts{};
  for (std::int64_t i = 0; i < set.size(); ++i)
    ++counts.at(static_cast<std::size_t>(set.label(i)));
  return counts;
}

std::array<int, 10> all(int count) {
  std::array<int, 10> counts{};
  counts.fill(count);
  return counts;
}

} // namespace

TEST_CASE("Fashion-MNIST has 6000 training images of each of ten classes",
          "[data][fashion-mnist]") {
  const auto set = open_split(dataset_split::train);
  CHECK(set->name() == "fashion-mnist");
  CHECK(set->size() == 60000);
  CHECK(set->classes() == 10);
  CHECK(set->image() == image_extents{28, 28, 1});
  CHECK(histogram(*set) == all(6000));
}

TEST_CASE("Fashion-MNIST has 1000 test images of each of ten classes",
          "[data][fashion-mnist]") {
  const auto set = open_split(dataset_split::test);
  CHECK(set->size() == 10000);
  CHECK(histogram(*set) == all(1000));
}

TEST_CASE("the first training images of Fashion-MNIST are the known ones",
          "[data][fashion-mnist]") {
  const auto set = open_split(dataset_split::train);
  const std::array<std::int32_t, 10> labels{9, 0, 0, 3, 0, 2, 7, 2, 5, 5};
  for (std::size_t i = 0; i < labels.size(); ++i)
    CHECK(set->label(static_cast<std::int64_t>(i)) == labels[i]);
  std::vector<float> image(784);
  REQUIRE(set->read({0}, image));
  CHECK(image[0] == (0.0F - 0.2860F) / 0.3530F);
  double sum = 0; // of the bytes; 76247 is Python's
  for (const auto each : image)
    sum += (double{each} * 0.3530 + 0.2860) * 255.0;
  CHECK(sum == Approx(76247.0).epsilon(1e-6));
}

TEST_CASE("the scale of Fashion-MNIST gives mean 0 and deviation 1",
          "[data][fashion-mnist]") {
  const auto set = open_split(dataset_split::train);
  std::vector<float> image(784);
  double sum = 0;
  double squares = 0;
  for (std::int64_t i = 0; i < set->size(); ++i) {
    REQUIRE(set->read({i}, image));
    for (const double x : image) {
      sum += x;
      squares += x * x;
    }
  }
  const double count = 784.0 * 60000.0;
  CHECK(std::abs(sum / count) < 0.001);
  CHECK(squares / count == Approx(1.0).epsilon(0.001));
}

TEST_CASE("a shuffled, resized batch is the one that docs/data.md computes in "
          "Python",
          "[data][fashion-mnist]") {
  dataset_spec spec;
  spec.name = "fashion-mnist";
  spec.height = 64;
  spec.width = 64;
  spec.channels = 3;
  const auto set = open_dataset(spec);
  REQUIRE(set);
  const auto order =
    sampler::make({.samples = 60000, .microbatch = 4, .seed = 1});
  REQUIRE(order);
  std::vector<float> images(std::size_t{4} * 3 * 64 * 64);
  std::vector<std::int32_t> labels(4);
  REQUIRE(fill_batch(**set, {order->indices(3)}, images, labels));
  CHECK(labels == std::vector<std::int32_t>{3, 9, 6, 1});
  const double sum = std::accumulate(images.begin(), images.end(), 0.0);
  CHECK(sum == Approx(-7151.521).epsilon(1e-6));
}

TEST_CASE("where Fashion-MNIST is missing, the error names the package",
          "[data][fashion-mnist]") {
  const temporary_folder empty;
  dataset_spec spec;
  spec.name = "fashion-mnist";
  const auto usual = open_fashion_mnist(spec, empty.path());
  REQUIRE(!usual);
  CHECK(usual.failure().code == errc::io);
  CHECK(usual.failure().message
        == (empty / images_name)
             + ": no such file; fashion-mnist is in Debian's package "
               "dataset-fashion-mnist (apt-get install dataset-fashion-mnist), "
               "or set data.path");
  spec.path = empty.path();
  const auto given = open_fashion_mnist(spec);
  REQUIRE(!given);
  CHECK(given.failure().message == (empty / images_name) + ": no such file");
}
