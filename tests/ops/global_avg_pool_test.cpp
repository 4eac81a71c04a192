#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("global_avg_pool gives PyTorch's numbers", "[ops][global_avg_pool]") {
  check_goldens("global_avg_pool");
}

TEST_CASE("global_avg_pool's gradients are its slopes", "[ops][global_avg_pool]") {
  check_difference_quotients("global_avg_pool");
}
