#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("identity gives PyTorch's numbers", "[ops][identity]") {
  check_goldens("identity");
}

TEST_CASE("identity's gradients are its slopes", "[ops][identity]") {
  check_difference_quotients("identity");
}

TEST_CASE("identity allocates nothing once it is made", "[ops][identity]") {
  check_allocates_nothing("identity");
}
