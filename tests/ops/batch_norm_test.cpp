#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("batch_norm gives PyTorch's numbers", "[ops][batch_norm]") {
  check_goldens("batch_norm");
}

TEST_CASE("batch_norm's gradients are its slopes", "[ops][batch_norm]") {
  check_difference_quotients("batch_norm", {.h = 1e-4, .relative = 5e-2});
}

TEST_CASE("batch_norm allocates nothing once it is made", "[ops][batch_norm]") {
  check_allocates_nothing("batch_norm");
}

TEST_CASE("a batch_norm with both relu and relu6 is refused",
          "[ops][batch_norm]") {
  CHECK(refusal("batch_norm", {{"relu", true}, {"relu6", true}}, {{1, 2}})
        == "batch_norm: relu6: wanted false beside relu = true");
}

TEST_CASE("a batch_norm whose residual has another shape is refused",
          "[ops][batch_norm]") {
  CHECK(refusal("batch_norm", {}, {{1, 2, 3, 3}, {1, 2, 3, 4}})
        == "batch_norm: wanted a second input [1, 2, 3, 3] like the first, got "
           "[1, 2, 3, 4]");
  CHECK(refusal("batch_norm", {}, {{4}})
        == "batch_norm: wanted an input [N, C, H, W] or [N, C], got [4]");
}
