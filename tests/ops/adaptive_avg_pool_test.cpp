#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("adaptive_avg_pool gives PyTorch's numbers", "[ops][adaptive_avg_pool]") {
  check_goldens("adaptive_avg_pool");
}

TEST_CASE("adaptive_avg_pool's gradients are its slopes", "[ops][adaptive_avg_pool]") {
  check_difference_quotients("adaptive_avg_pool");
}
