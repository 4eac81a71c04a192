#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("class_token gives PyTorch's numbers", "[ops][class_token]") {
  check_goldens("class_token");
}

TEST_CASE("class_token's gradients are its slopes", "[ops][class_token]") {
  check_difference_quotients("class_token");
}

TEST_CASE("class_token allocates nothing once it is made",
          "[ops][class_token]") {
  check_allocates_nothing("class_token");
}

TEST_CASE("a class_token of an image is refused", "[ops][class_token]") {
  CHECK(refusal("class_token", {}, {{2, 3, 4, 4}})
        == "class_token: wanted an input [N, T, C], got [2, 3, 4, 4]");
}

TEST_CASE("a class_token has its node's name and starts at zero",
          "[ops][class_token]") {
  const auto rule = *all_ops().make_op({"cls", "class_token", {}, {}});
  const auto parameters = rule->parameters(std::vector{shape{2, 5, 24}});
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].name_at("cls") == "cls");
  CHECK(parameters[0].extents == shape{1, 1, 24});
  CHECK(parameters[0].initial.how == initializer::kind::constant);
  CHECK(parameters[0].initial.a == 0);
}
