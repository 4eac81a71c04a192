#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("gelu gives PyTorch's numbers", "[ops][gelu]") {
  check_goldens("gelu");
}

TEST_CASE("gelu's gradients are its slopes", "[ops][gelu]") {
  check_difference_quotients("gelu", {.h = 1e-3, .relative = 5e-2});
}

TEST_CASE("gelu allocates nothing once it is made", "[ops][gelu]") {
  check_allocates_nothing("gelu");
}

TEST_CASE("a gelu of two inputs, or of a form that nobody knows, is refused",
          "[ops][gelu]") {
  CHECK(refusal("gelu", {}, {{1, 2}, {1, 2}}) == "gelu: takes 1 input, got 2");
  CHECK_THAT(refusal("gelu", {{"approximate", std::string{"erf"}}}, {{1, 2}}),
             Catch::StartsWith("gelu: approximate: wanted"));
}
