#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("global_avg_pool gives PyTorch's numbers", "[ops][global_avg_pool]") {
  check_goldens("global_avg_pool");
}

TEST_CASE("global_avg_pool's gradients are its slopes",
          "[ops][global_avg_pool]") {
  check_difference_quotients("global_avg_pool");
}

TEST_CASE("global_avg_pool allocates nothing once it is made",
          "[ops][global_avg_pool]") {
  check_allocates_nothing("global_avg_pool");
}

TEST_CASE("a global_avg_pool of rows is refused", "[ops][global_avg_pool]") {
  CHECK(refusal("global_avg_pool", {}, {{4, 7}})
        == "global_avg_pool: wanted an input [N, C, H, W], got [4, 7]");
  CHECK_THAT(
    refusal("global_avg_pool", {{"kernel", std::int64_t{7}}}, {{1, 3, 7, 7}}),
    Catch::Contains("unknown attribute 'kernel'"));
}
