#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("adaptive_avg_pool gives PyTorch's numbers",
          "[ops][adaptive_avg_pool]") {
  check_goldens("adaptive_avg_pool");
}

TEST_CASE("adaptive_avg_pool's gradients are its slopes",
          "[ops][adaptive_avg_pool]") {
  check_difference_quotients("adaptive_avg_pool");
}

TEST_CASE("adaptive_avg_pool allocates nothing once it is made",
          "[ops][adaptive_avg_pool]") {
  check_allocates_nothing("adaptive_avg_pool");
}

TEST_CASE("adaptive_avg_pool to the same size works in place",
          "[ops][adaptive_avg_pool]") {
  const op_harness same{golden_case("adaptive_avg_pool", "same")};
  CHECK(same.kernel().needs().forward_in_place);
  CHECK(same.kernel().needs().backward_in_place == 0);
  const op_harness other{golden_case("adaptive_avg_pool", "overlaps")};
  CHECK_FALSE(other.kernel().needs().forward_in_place);
  CHECK(other.kernel().needs().backward_in_place == -1);
}

TEST_CASE("an adaptive_avg_pool without an output size is refused",
          "[ops][adaptive_avg_pool]") {
  CHECK_THAT(refusal("adaptive_avg_pool", {}, {{1, 3, 7, 7}}),
             Catch::Contains("adaptive_avg_pool: output: wanted"));
  CHECK(refusal("adaptive_avg_pool", {{"output", std::int64_t{7}}}, {{3, 7}})
        == "adaptive_avg_pool: wanted an input [N, C, H, W], got [3, 7]");
}
