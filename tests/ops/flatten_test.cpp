#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("flatten gives PyTorch's numbers", "[ops][flatten]") {
  check_goldens("flatten");
}

TEST_CASE("flatten's gradients are its slopes", "[ops][flatten]") {
  check_difference_quotients("flatten");
}

TEST_CASE("flatten allocates nothing once it is made", "[ops][flatten]") {
  check_allocates_nothing("flatten");
}

TEST_CASE("a flatten of labels is refused", "[ops][flatten]") {
  CHECK(refusal("flatten", {}, {{4}})
        == "flatten: wanted an input [N, ...], got [4]");
}
