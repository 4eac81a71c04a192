#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace pd;

namespace {

attributes square(std::int64_t kernel, std::int64_t stride,
                  std::int64_t padding) {
  return {{"kernel", kernel}, {"stride", stride}, {"padding", padding}};
}

} // namespace

TEST_CASE("max_pool gives PyTorch's numbers", "[ops][max_pool]") {
  check_goldens("max_pool");
}

TEST_CASE("max_pool's gradients are its slopes", "[ops][max_pool]") {
  check_difference_quotients("max_pool", {.h = 1e-4, .relative = 5e-2});
}

TEST_CASE("max_pool allocates nothing once it is made", "[ops][max_pool]") {
  check_allocates_nothing("max_pool");
}

TEST_CASE("max_pool hands on a NaN and an infinity", "[ops][max_pool]") {
  auto of = golden_case("max_pool", "negative");
  of.inputs[0].values[0] = std::numeric_limits<float>::quiet_NaN();
  of.inputs[0].values[4] = -std::numeric_limits<float>::infinity();
  op_harness run{of};
  run.forward();
  CHECK(std::isnan(run.output().values[0]));
  CHECK(std::isfinite(run.output().values[2]));
}

TEST_CASE("a max_pool that does not fit is refused", "[ops][max_pool]") {
  const auto refused = [](const attributes& settings, const shape& image) {
    return refusal("max_pool", settings, {image});
  };
  CHECK(refused(square(3, 2, 2), {1, 3, 5, 5})
        == "max_pool: padding: wanted at most half of kernel = 3, got 2");
  CHECK(refused(square(3, 2, 0), {1, 3, 2, 5})
        == "max_pool: kernel spans 3 pixels of height, input has 2 and padding "
           "0 on each side");
  CHECK(refused(square(3, 2, 0), {3, 5})
        == "max_pool: wanted an input [N, C, H, W], got [3, 5]");
  CHECK_THAT(refused({}, {1, 3, 5, 5}), Catch::Contains("max_pool: kernel"));
  auto dilated = square(2, 1, 1);
  dilated["dilation"] = std::int64_t{3};
  CHECK_THAT(refused(dilated, {1, 3, 2, 2}),
             Catch::Contains("a window holds only padding"));
  CHECK(refused(square(3, 2, 1), {1, 3, 5, 5}).empty());
}
