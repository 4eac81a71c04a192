#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("layer_norm gives PyTorch's numbers", "[ops][layer_norm]") {
  check_goldens("layer_norm");
}

TEST_CASE("layer_norm's gradients are its slopes", "[ops][layer_norm]") {
  check_difference_quotients("layer_norm", {.h = 1e-3, .relative = 5e-2});
}

TEST_CASE("layer_norm allocates nothing once it is made", "[ops][layer_norm]") {
  check_allocates_nothing("layer_norm");
}

TEST_CASE("a layer_norm that does not fit is refused", "[ops][layer_norm]") {
  CHECK(refusal("layer_norm", {}, {{2, 3, 4, 4}})
        == "layer_norm: wanted an input [N, F] or [N, T, F], got [2, 3, 4, 4]");
  CHECK(refusal("layer_norm", {}, {{2, 3}, {2, 3}})
        == "layer_norm: takes 1 input, got 2");
  CHECK(refusal("layer_norm", {{"eps", -1.0}}, {{2, 3}})
        == "layer_norm: eps: wanted a number from 0 to 1, got -1");
  CHECK(refusal("layer_norm", {}, {{2, 3}}).empty());
}

TEST_CASE("layer_norm starts at weight 1 and bias 0, over the last axis",
          "[ops][layer_norm]") {
  const auto rule = *all_ops().make_op({"n", "layer_norm", {}, {}});
  const auto parameters = rule->parameters(std::vector{shape{2, 5, 24}});
  REQUIRE(parameters.size() == 2);
  CHECK(parameters[0].extents == shape{24});
  CHECK(parameters[0].initial.a == 1);
  CHECK(parameters[1].initial.a == 0);
}
