#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("relu6 gives PyTorch's numbers", "[ops][relu6]") {
  check_goldens("relu6");
}

TEST_CASE("relu6's gradients are its slopes", "[ops][relu6]") {
  check_difference_quotients("relu6", {.h = 1e-4, .relative = 5e-2});
}

TEST_CASE("relu6 allocates nothing once it is made", "[ops][relu6]") {
  check_allocates_nothing("relu6");
}

TEST_CASE("a relu6 of two inputs is refused", "[ops][relu6]") {
  CHECK(refusal("relu6", {}, {{1, 2}, {1, 2}})
        == "relu6: takes 1 input, got 2");
  CHECK(refusal("relu6", {{"most", 4.0}}, {{1, 2}})
        == "relu6: unknown attribute 'most'");
}
