#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("take_token gives PyTorch's numbers", "[ops][take_token]") {
  check_goldens("take_token");
}

TEST_CASE("take_token's gradients are its slopes", "[ops][take_token]") {
  check_difference_quotients("take_token");
}

TEST_CASE("take_token allocates nothing once it is made", "[ops][take_token]") {
  check_allocates_nothing("take_token");
}

TEST_CASE("a token that is not there is refused", "[ops][take_token]") {
  CHECK(refusal("take_token", {{"index", std::int64_t{5}}}, {{2, 5, 8}})
        == "take_token: index = 5, input has T = 5");
  CHECK(refusal("take_token", {}, {{2, 8}})
        == "take_token: wanted an input [N, T, C], got [2, 8]");
}
