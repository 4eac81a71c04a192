#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("position_embedding gives PyTorch's numbers",
          "[ops][position_embedding]") {
  check_goldens("position_embedding");
}

TEST_CASE("position_embedding's gradients are its slopes",
          "[ops][position_embedding]") {
  check_difference_quotients("position_embedding");
}

TEST_CASE("position_embedding allocates nothing once it is made",
          "[ops][position_embedding]") {
  check_allocates_nothing("position_embedding");
}

TEST_CASE("a position_embedding of an image is refused",
          "[ops][position_embedding]") {
  CHECK(refusal("position_embedding", {}, {{2, 3, 4, 4}})
        == "position_embedding: wanted an input [N, T, C], got [2, 3, 4, 4]");
}

TEST_CASE("a position_embedding has a token a place, normal at 0.02",
          "[ops][position_embedding]") {
  const auto rule =
    *all_ops().make_op({"places", "position_embedding", {}, {}});
  const auto parameters = rule->parameters(std::vector{shape{2, 5, 24}});
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].name_at("places") == "places");
  CHECK(parameters[0].extents == shape{1, 5, 24});
  CHECK(parameters[0].initial.how == initializer::kind::normal);
  CHECK(parameters[0].initial.b == 0.02);
}
