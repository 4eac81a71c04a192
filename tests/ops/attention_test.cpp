#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("attention gives PyTorch's numbers", "[ops][attention]") {
  check_goldens("attention");
}

TEST_CASE("attention's gradients are its slopes", "[ops][attention]") {
  check_difference_quotients("attention", {.h = 1e-3, .relative = 5e-2});
}

TEST_CASE("attention allocates nothing once it is made", "[ops][attention]") {
  check_allocates_nothing("attention");
}

TEST_CASE("an attention whose heads do not fit is refused",
          "[ops][attention]") {
  const attributes four{{"heads", std::int64_t{4}}};
  CHECK(refusal("attention", four, {{2, 5, 18}})
        == "attention: input has C = 18, not divisible by 3 heads = 12");
  CHECK(refusal("attention", four, {{2, 24}})
        == "attention: wanted an input [N, T, C], got [2, 24]");
  CHECK_THAT(refusal("attention", {}, {{2, 5, 24}}),
             Catch::Contains("attention: heads: wanted a whole number"));
  CHECK(refusal("attention", four, {{2, 5, 24}}).empty());
}

TEST_CASE("an attention of like tokens takes the mean of what they say",
          "[ops][attention]") {
  auto of = golden_case("attention", "even"); // all keys alike: all weights 1/T
  auto& x = of.inputs[0];
  const auto features = static_cast<std::size_t>(x.extents[2] / 3);
  const auto tokens = static_cast<std::size_t>(x.extents[1]);
  for (std::size_t i = 0; i < x.values.size(); ++i)
    if (i / features % 3 == 1)
      x.values[i] = 0.5F;
  op_harness run{of};
  run.forward();
  const auto y = run.output();
  for (std::size_t c = 0; c < features; ++c) {
    float mean = 0;
    for (std::size_t t = 0; t < tokens; ++t)
      mean += x.values[(3 * t + 2) * features + c] / static_cast<float>(tokens);
    CHECK(y.values[c] == Approx(mean).margin(1e-5));
  }
}
