#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("tokens gives PyTorch's numbers", "[ops][tokens]") {
  check_goldens("tokens");
}

TEST_CASE("tokens's gradients are its slopes", "[ops][tokens]") {
  check_difference_quotients("tokens");
}

TEST_CASE("tokens allocates nothing once it is made", "[ops][tokens]") {
  check_allocates_nothing("tokens");
}

TEST_CASE("tokens of a row are refused", "[ops][tokens]") {
  CHECK(refusal("tokens", {}, {{2, 3, 4}})
        == "tokens: wanted an input [N, C, H, W], got [2, 3, 4]");
}
