#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("add gives PyTorch's numbers", "[ops][add]") {
  check_goldens("add");
}

TEST_CASE("add's gradients are its slopes", "[ops][add]") {
  check_difference_quotients("add", {.h = 1e-4, .relative = 5e-2});
}

TEST_CASE("add allocates nothing once it is made", "[ops][add]") {
  check_allocates_nothing("add");
}

TEST_CASE("an add of unlike shapes is refused", "[ops][add]") {
  CHECK(refusal("add", {}, {{1, 2}, {1, 3}})
        == "add: wanted inputs of one shape, got [1, 2] and [1, 3]");
  CHECK(refusal("add", {}, {{1, 2}}) == "add: takes at least 2 inputs, got 1");
}
