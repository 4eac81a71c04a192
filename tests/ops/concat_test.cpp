#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("concat gives PyTorch's numbers", "[ops][concat]") {
  check_goldens("concat");
}

TEST_CASE("concat's gradients are its slopes", "[ops][concat]") {
  check_difference_quotients("concat");
}

TEST_CASE("concat allocates nothing once it is made", "[ops][concat]") {
  check_allocates_nothing("concat");
}

TEST_CASE("a concat of images of unlike sizes is refused", "[ops][concat]") {
  CHECK(refusal("concat", {}, {{1, 2, 3, 3}, {1, 5, 4, 3}})
        == "concat: wanted inputs alike but for the channels, got [1, 2, 3, 3] "
           "and [1, 5, 4, 3]");
  CHECK(refusal("concat", {}, {{1, 2, 3, 3}, {1, 5}})
        == "concat: wanted inputs alike but for the channels, got [1, 2, 3, 3] "
           "and [1, 5]");
  CHECK(refusal("concat", {}, {}) == "concat: takes at least 1 input, got 0");
}
