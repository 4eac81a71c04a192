#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("max_pool gives PyTorch's numbers", "[ops][max_pool]") {
  check_goldens("max_pool");
}

TEST_CASE("max_pool's gradients are its slopes", "[ops][max_pool]") {
  check_difference_quotients("max_pool", {.h = 1e-4, .relative = 5e-2});
}
