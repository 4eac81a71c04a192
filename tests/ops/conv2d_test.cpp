#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("conv2d gives PyTorch's numbers", "[ops][conv2d]") {
  check_goldens("conv2d");
}

TEST_CASE("conv2d takes the image as the loader gives it", "[ops][conv2d]") {
  for (const auto& each : golden_cases("conv2d"))
    for (const auto activation : {dtype::f32, dtype::bf16})
      check_case(each, {.activation = activation, .is_plain_input = true});
}

TEST_CASE("conv2d's gradients are its slopes", "[ops][conv2d]") {
  check_difference_quotients("conv2d", {.h = 1e-3, .relative = 5e-2});
}
