#include "engine/data/batch.hpp"

#include "tests/engine/data/numbered_set.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <vector>

using namespace pd;
using namespace pd::test;

TEST_CASE("a batch holds the images and labels of its indices, in order",
          "[data][batch]") {
  const numbered_set set{100};
  std::vector<float> images(12);
  std::vector<std::int32_t> labels(3);
  const std::array<std::int64_t, 3> indices{8, 3, 99};
  REQUIRE(fill_batch(set, {indices}, images, labels));
  CHECK(labels == std::vector<std::int32_t>{1, 3, 1});
  CHECK(images == std::vector<float>{8, 8, 8, 8, 3, 3, 3, 3, 99, 99, 99, 99});
}

TEST_CASE("the images that a short batch lacks are zeros without a label",
          "[data][batch]") {
  const numbered_set set{100};
  std::vector<float> images(12, 5.0F);
  std::vector<std::int32_t> labels(3, 5);
  const std::array<std::int64_t, 1> indices{8};
  REQUIRE(fill_batch(set, {indices}, images, labels));
  CHECK(labels == std::vector<std::int32_t>{1, no_label, no_label});
  CHECK(images == std::vector<float>{8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a sample that cannot be read is an error that names it",
          "[data][batch]") {
  numbered_set set{100};
  set.broken = 3;
  std::vector<float> images(8);
  std::vector<std::int32_t> labels(2);
  const std::array<std::int64_t, 2> indices{8, 3};
  const auto done = fill_batch(set, {indices}, images, labels);
  REQUIRE(!done);
  CHECK(done.failure().message == "numbered, sample 3: it is broken");
}
