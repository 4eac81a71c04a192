#include "ops/conv2d.hpp"

#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;

namespace {

/// A convolution that is only looked at, or whose operands do not matter.
op_case some_conv2d(const shape& image, attributes settings) {
  op_case made;
  made.op = "conv2d";
  made.name = to_string(image);
  made.settings = std::move(settings);
  made.settings["bias"] = false;
  made.inputs.push_back({image, {}, dtype::f32});
  made.inputs[0].values.assign(static_cast<std::size_t>(image.elems()), 1.0F);
  const auto rule = *all_ops().make_op({"tested", "conv2d", made.settings, {}});
  for (const auto& each : rule->parameters(std::vector{image}))
    made.parameters[each.suffix] = {
      each.extents,
      std::vector<float>(static_cast<std::size_t>(each.extents.elems())),
      dtype::f32};
  return made;
}

attributes square(std::int64_t out, std::int64_t kernel, std::int64_t stride,
                  std::int64_t padding, std::int64_t groups = 1) {
  return {{"out_channels", out},
          {"kernel", kernel},
          {"stride", stride},
          {"padding", padding},
          {"groups", groups}};
}

std::string implementation(const shape& image, attributes settings,
                           bool is_plain_input = false) {
  const op_harness made{some_conv2d(image, std::move(settings)),
                        {.is_plain_input = is_plain_input}};
  return made.kernel().describe();
}

} // namespace

TEST_CASE("conv2d gives PyTorch's numbers", "[ops][conv2d]") {
  check_goldens("conv2d");
}

TEST_CASE("conv2d takes the image as the loader gives it", "[ops][conv2d]") {
  for (const auto& each : golden_cases("conv2d"))
    for (const auto activation : {dtype::f32, dtype::bf16})
      for (const auto order :
           {layout::blocked8, layout::blocked16, layout::channels_last})
        check_case(
          each,
          {.activation = activation, .order = order, .is_plain_input = true});
}

TEST_CASE("conv2d's gradients are its slopes", "[ops][conv2d]") {
  check_difference_quotients("conv2d", {.h = 1e-3, .relative = 5e-2});
}

TEST_CASE("conv2d allocates nothing once it is made", "[ops][conv2d]") {
  check_allocates_nothing("conv2d");
}

TEST_CASE("no first layer of the models runs oneDNN's reference code",
          "[ops][conv2d]") {
  const auto first_layer = [](std::int64_t channels, std::int64_t extent,
                              const attributes& settings) {
    return implementation({2, channels, extent, extent}, settings, true);
  };
  CHECK_THAT(first_layer(3, 64, square(64, 7, 2, 3)), !Catch::Contains("ref"));
  CHECK_THAT(first_layer(1, 28, square(64, 7, 2, 3)), !Catch::Contains("ref"));
  CHECK_THAT(first_layer(1, 28, square(6, 5, 1, 2)), !Catch::Contains("ref"));
  CHECK_THAT(first_layer(3, 63, square(64, 11, 4, 2)), !Catch::Contains("ref"));
}

TEST_CASE("no later layer of the models runs oneDNN's reference code",
          "[ops][conv2d]") {
  const auto layer = [](std::int64_t channels, const attributes& settings) {
    return implementation({2, channels, 14, 14}, settings);
  };
  CHECK_THAT(layer(6, square(16, 5, 1, 0)), !Catch::Contains("ref"));
  for (const std::int64_t channels : {64, 128, 256, 512})
    for (const std::int64_t stride : {1, 2}) {
      CHECK_THAT(layer(channels, square(channels, 1, stride, 0)),
                 !Catch::Contains("ref"));
      for (const std::int64_t groups :
           {std::int64_t{1}, std::int64_t{32}, channels}) // ResNeXt, depthwise
        CHECK_THAT(layer(channels, square(channels, 3, stride, 1, groups)),
                   !Catch::Contains("ref"));
    }
}

TEST_CASE("groups that are no whole blocks are merged, and no others",
          "[ops][conv2d]") {
  op_variant blocks_of_8{.order = layout::blocked8};
  const auto describe = [&](const shape& image, const attributes& settings) {
    const op_harness made{some_conv2d(image, settings), blocks_of_8};
    return made.kernel().describe();
  };
  CHECK_THAT(describe({1, 128, 5, 5}, square(128, 3, 1, 1, 32)),
             Catch::Contains("32 groups as 16"));
  CHECK_THAT(describe({1, 256, 5, 5}, square(256, 3, 1, 1, 32)),
             !Catch::Contains("groups as"));
  CHECK_THAT(describe({1, 32, 5, 5}, square(32, 3, 1, 1, 32)),
             !Catch::Contains("groups as"));
  CHECK_THAT(describe({1, 6, 5, 5}, square(10, 3, 1, 1, 2)),
             Catch::Contains("2 groups as 1"));
}

TEST_CASE("a conv2d that does not fit is refused", "[ops][conv2d]") {
  const auto refused = [](const attributes& settings,
                          const std::vector<shape>& inputs) {
    return refusal("conv2d", settings, inputs);
  };
  CHECK(refused(square(8, 3, 1, 1, 4), {{1, 30, 5, 5}})
        == "conv2d: input has C = 30, not divisible by groups = 4");
  CHECK(refused(square(6, 3, 1, 1, 4), {{1, 32, 5, 5}})
        == "conv2d: out_channels = 6, not divisible by groups = 4");
  CHECK(refused(square(8, 7, 1, 0), {{1, 3, 9, 5}})
        == "conv2d: kernel spans 7 pixels of width, input has 5 and padding 0 "
           "on each side");
  CHECK(refused(square(8, 7, 1, 0), {{1, 3, 4, 5}})
        == "conv2d: kernel spans 7 pixels of height, input has 4 and padding "
           "0 on each side");
  CHECK(refused(square(8, 3, 1, 0), {{4, 3}})
        == "conv2d: wanted an input [N, C, H, W], got [4, 3]");
  CHECK(refused(square(8, 3, 1, 0), {{1, 3, 5, 5}, {1, 3, 5, 5}})
        == "conv2d: takes 1 input, got 2");
  CHECK(refused({{"kernel", std::int64_t{3}}}, {{1, 3, 5, 5}})
        == "conv2d: out_channels: wanted a whole number of at least 1, got "
           "nothing");
  CHECK_THAT(refused({{"out_channels", std::int64_t{3}}}, {{1, 3, 5, 5}}),
             Catch::Contains("conv2d: kernel: wanted a whole number"));
  auto misspelt = square(8, 3, 1, 1);
  misspelt["strides"] = std::int64_t{2};
  CHECK_THAT(refused(misspelt, {{1, 3, 5, 5}}),
             Catch::Contains("did you mean 'stride'"));
  CHECK(refused(square(8, 3, 1, 1, 2), {{1, 4, 5, 5}}).empty());
}

TEST_CASE("conv2d's dilated kernel is refused by what it spans",
          "[ops][conv2d]") {
  auto settings = square(8, 3, 1, 0);
  settings["dilation"] = std::int64_t{3};
  CHECK_THAT(refusal("conv2d", settings, {{1, 3, 6, 7}}),
             Catch::Contains("spans 7 pixels of height, input has 6"));
  CHECK(refusal("conv2d", settings, {{1, 3, 7, 7}}).empty());
}

TEST_CASE("conv2d starts as torchvision's", "[ops][conv2d]") {
  auto settings = square(16, 3, 1, 1, 2);
  const auto parameters = [&] {
    const auto rule = *all_ops().make_op({"c", "conv2d", settings, {}});
    return rule->parameters(std::vector{shape{1, 8, 5, 5}});
  };
  const auto usual = parameters();
  REQUIRE(usual.size() == 2);
  CHECK(usual[0].extents == shape{16, 4, 3, 3});
  CHECK(usual[0].initial.how == initializer::kind::uniform);
  CHECK(usual[0].initial.b == Approx(1.0 / 6)); // fan-in 4 * 3 * 3
  CHECK(usual[1].initial.a == Approx(-1.0 / 6));
  settings["init"] = std::string{"kaiming_fan_out"};
  const auto kaiming = parameters();
  CHECK(kaiming[0].initial.how == initializer::kind::normal);
  CHECK(kaiming[0].initial.b == Approx(std::sqrt(2.0 / (16 * 3 * 3))));
  CHECK(kaiming[1].initial.how == initializer::kind::constant);
  settings["init"] = std::string{"lecun_normal"};
  const auto lecun = parameters();
  CHECK(lecun[0].initial.how == initializer::kind::normal);
  CHECK(lecun[0].initial.b == Approx(1.0 / 6));
  CHECK(lecun[1].initial.how == initializer::kind::constant);
  settings["init"] = std::string{"kaiming_fan_in"};
  CHECK(parameters()[0].initial.b == Approx(std::sqrt(2.0 / (4 * 3 * 3))));
  settings["init"] = std::string{"kaiming_uniform"};
  CHECK(parameters()[0].initial.how == initializer::kind::uniform);
  CHECK(parameters()[0].initial.b == Approx(std::sqrt(6.0 / (4 * 3 * 3))));
  settings["bias_init"] = std::string{"torch_default"};
  CHECK(parameters()[1].initial.b == Approx(1.0 / 6));
  settings["init"] = std::string{"normal"};
  settings["init_std"] = 0.1;
  CHECK(parameters()[0].initial.b == 0.1);
  settings.erase("bias_init");
  settings["bias"] = false;
  CHECK(parameters().size() == 1);
}

TEST_CASE("a setting of how conv2d starts that has no effect is refused",
          "[ops][conv2d]") {
  auto settings = square(16, 3, 1, 1);
  settings["init_std"] = 0.1;
  CHECK(refusal("conv2d", settings, {{1, 8, 5, 5}})
        == "conv2d: init_std: only init = 'normal' takes it, got init = "
           "'torch_default'");
  settings = square(16, 3, 1, 1);
  settings["bias"] = false;
  settings["bias_init"] = std::string{"zero"};
  CHECK(refusal("conv2d", settings, {{1, 8, 5, 5}})
        == "conv2d: bias_init: there is no bias");
}

TEST_CASE("conv2d costs two operations a product", "[ops][conv2d]") {
  const auto rule =
    *all_ops().make_op({"c", "conv2d", square(16, 3, 2, 1, 2), {}});
  const std::vector inputs{shape{3, 8, 6, 6}};
  const auto cost = rule->cost(inputs, *rule->infer(inputs));
  CHECK(cost.forward_flops == 2.0 * 3 * 16 * 3 * 3 * (4 * 3 * 3));
  CHECK(cost.backward_input_flops == cost.forward_flops);
  CHECK(cost.backward_weight_flops == cost.forward_flops);
}
