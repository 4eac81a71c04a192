#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("relu gives PyTorch's numbers", "[ops][relu]") {
  check_goldens("relu");
}

TEST_CASE("relu's gradients are its slopes", "[ops][relu]") {
  check_difference_quotients("relu", {.h = 1e-4, .relative = 5e-2});
}

TEST_CASE("relu allocates nothing once it is made", "[ops][relu]") {
  check_allocates_nothing("relu");
}

TEST_CASE("a relu of two inputs is refused", "[ops][relu]") {
  CHECK(refusal("relu", {}, {{1, 2}, {1, 2}}) == "relu: takes 1 input, got 2");
  CHECK(refusal("relu", {{"slope", 0.1}}, {{1, 2}})
        == "relu: unknown attribute 'slope'");
}
