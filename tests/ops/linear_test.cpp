#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("linear gives PyTorch's numbers", "[ops][linear]") {
  check_goldens("linear");
}

TEST_CASE("linear's gradients are its slopes", "[ops][linear]") {
  check_difference_quotients("linear", {.h = 1e-3, .relative = 5e-2});
}
