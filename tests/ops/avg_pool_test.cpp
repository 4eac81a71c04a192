#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("avg_pool gives PyTorch's numbers", "[ops][avg_pool]") {
  check_goldens("avg_pool");
}

TEST_CASE("avg_pool's gradients are its slopes", "[ops][avg_pool]") {
  check_difference_quotients("avg_pool");
}
