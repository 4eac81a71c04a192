#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;

TEST_CASE("linear gives PyTorch's numbers", "[ops][linear]") {
  check_goldens("linear");
}

TEST_CASE("linear's gradients are its slopes", "[ops][linear]") {
  check_difference_quotients("linear", {.h = 1e-3, .relative = 5e-2});
}

TEST_CASE("linear allocates nothing once it is made", "[ops][linear]") {
  check_allocates_nothing("linear");
}

TEST_CASE("a linear that does not fit is refused", "[ops][linear]") {
  const attributes ten{{"out_features", std::int64_t{10}}};
  CHECK(refusal("linear", ten, {{2, 3, 4, 4}})
        == "linear: wanted an input [N, F] or [N, T, F], got [2, 3, 4, 4]");
  CHECK(refusal("linear", ten, {}) == "linear: takes 1 input, got 0");
  CHECK_THAT(refusal("linear", {}, {{2, 3}}),
             Catch::Contains("linear: out_features: wanted a whole number"));
  CHECK_THAT(refusal("linear", {{"out_features", std::int64_t{0}}}, {{2, 3}}),
             Catch::Contains("got 0"));
  CHECK(refusal("linear", ten, {{2, 3}}).empty());
}

TEST_CASE("linear starts as torchvision's", "[ops][linear]") {
  attributes settings{{"out_features", std::int64_t{10}}};
  const auto parameters = [&] {
    const auto rule = *all_ops().make_op({"f", "linear", settings, {}});
    return rule->parameters(std::vector{shape{2, 25}});
  };
  const auto usual = parameters();
  REQUIRE(usual.size() == 2);
  CHECK(usual[0].extents == shape{10, 25});
  CHECK(usual[0].initial.how == initializer::kind::uniform);
  CHECK(usual[0].initial.b == Approx(0.2));
  CHECK(usual[1].initial.a == Approx(-0.2));
  settings["init"] = std::string{"normal"};
  const auto vgg = parameters();
  CHECK(vgg[0].initial.how == initializer::kind::normal);
  CHECK(vgg[0].initial.b == Approx(0.01));
  CHECK(vgg[1].initial.how == initializer::kind::constant);
  settings["init"] = std::string{"uniform_fan_out"};
  CHECK(parameters()[0].initial.b == Approx(std::sqrt(3.0 / 10)));
  settings["init"] = std::string{"torch_default"};
  settings["bias_init"] = std::string{"zero"};
  CHECK(parameters()[0].initial.b == Approx(0.2));
  CHECK(parameters()[1].initial.how == initializer::kind::constant);
  settings["init"] = std::string{"xavier_uniform"};
  settings["bias_init"] = std::string{"almost_zero"};
  const auto vit = parameters();
  CHECK(vit[0].initial.how == initializer::kind::uniform);
  CHECK(vit[0].initial.b == Approx(std::sqrt(6.0 / 35)));
  CHECK(vit[1].initial.how == initializer::kind::normal);
  CHECK(vit[1].initial.b == 1e-6);
  settings = {{"out_features", std::int64_t{10}},
              {"init", std::string{"zero"}}};
  for (const auto& each : parameters())
    CHECK(
      (each.initial.how == initializer::kind::constant && each.initial.a == 0));
}

TEST_CASE("a linear's parameters may be named as those of PyTorch's attention",
          "[ops][linear]") {
  const auto rule = *all_ops().make_op(
    {"in_proj",
     "linear",
     {{"out_features", std::int64_t{10}}, {"separator", std::string{"_"}}},
     {}});
  const auto parameters = rule->parameters(std::vector{shape{2, 3, 25}});
  CHECK(parameters[0].name_at("attend.in_proj") == "attend.in_proj_weight");
  CHECK(parameters[1].name_at("attend.in_proj") == "attend.in_proj_bias");
  CHECK_THAT(refusal("linear",
                     {{"out_features", std::int64_t{10}},
                      {"separator", std::string{"-"}}},
                     {{2, 3}}),
             Catch::StartsWith("linear: separator: wanted"));
}

TEST_CASE("linear costs two operations a product", "[ops][linear]") {
  const auto rule = *all_ops().make_op(
    {"f", "linear", {{"out_features", std::int64_t{10}}}, {}});
  const std::vector inputs{shape{3, 25}};
  const auto cost = rule->cost(inputs, *rule->infer(inputs));
  CHECK(cost.forward_flops == 2.0 * 3 * 10 * 25);
  CHECK(cost.backward_weight_flops == cost.forward_flops);
  const std::vector tokens{shape{3, 7, 25}};
  CHECK(rule->cost(tokens, *rule->infer(tokens)).forward_flops
        == 7 * cost.forward_flops);
}
