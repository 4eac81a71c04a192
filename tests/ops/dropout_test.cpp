#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;

namespace {

constexpr double p = 0.3;

/// An image of ones, through a dropout of p.
op_case ones(const shape& extents) {
  auto of = golden_case("dropout", golden_cases("dropout").front().name);
  of.settings = {{"p", p}};
  of.inputs[0] = {extents, std::vector<float>(
                             static_cast<std::size_t>(extents.elems()), 1.0F)};
  return of;
}

std::vector<float> dropped(const shape& extents, layout order,
                           std::int64_t microbatch) {
  op_harness run{ones(extents), {.order = order}};
  run.forward({.microbatch = microbatch});
  return run.output().values;
}

} // namespace

TEST_CASE("dropout with p = 0 gives PyTorch's numbers", "[ops][dropout]") {
  check_goldens("dropout");
}

TEST_CASE("dropout drops a share p and keeps the mean", "[ops][dropout]") {
  const auto y = dropped({8, 20, 25, 25}, layout::blocked8, 3);
  double kept = 0;
  for (const auto each : y) {
    REQUIRE((each == 0 || each == Approx(1 / (1 - p))));
    kept += each != 0 ? 1 : 0;
  }
  const auto n = static_cast<double>(y.size());
  const auto deviation = std::sqrt(p * (1 - p) / n);
  CHECK(std::abs(kept / n - (1 - p)) < 5 * deviation);
}

TEST_CASE("the same elements are dropped in every layout", "[ops][dropout]") {
  const shape image{2, 20, 5, 5};
  CHECK(dropped(image, layout::blocked8, 7)
        == dropped(image, layout::blocked16, 7));
}

TEST_CASE("an image loses the elements that its row loses", "[ops][dropout]") {
  CHECK(dropped({2, 20, 5, 5}, layout::blocked8, 7)
        == dropped({2, 20 * 5 * 5}, layout::blocked8, 7));
  CHECK(dropped({1, 3, 3, 1}, layout::blocked16, 0)
        == dropped({1, 9}, layout::blocked16, 0));
}

TEST_CASE("another microbatch drops other elements", "[ops][dropout]") {
  const shape row{4, 200};
  CHECK(dropped(row, layout::blocked8, 1) == dropped(row, layout::blocked8, 1));
  CHECK(dropped(row, layout::blocked8, 1) != dropped(row, layout::blocked8, 2));
}

TEST_CASE("a dropped element has no gradient, a kept one has the scale",
          "[ops][dropout]") {
  const shape row{4, 200};
  const auto of = ones(row);
  op_harness run{of};
  run.forward();
  const auto y = run.output();
  run.backward_input(of.inputs[0]);
  CHECK(run.input_grad(0).values == y.values); // the input was ones
}

TEST_CASE("a dropout that drops all is refused", "[ops][dropout]") {
  CHECK(refusal("dropout", {{"p", 1.0}}, {{4, 4}})
        == "dropout: p: wanted a number from 0 to 0.999, got 1");
}
