#include "engine/graph/infer.hpp"
#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

using extents = std::vector<std::int64_t>;

std::unique_ptr<op> made(const std::string& type, const attributes& settings) {
  auto rule = all_ops().make_op({"source", type, settings, {}});
  REQUIRE(rule.has_value());
  return *std::move(rule);
}

} // namespace

TEST_CASE("an input has its extents behind the batch", "[ops][input]") {
  const graph net{"net",
                  {{"image", "input", {{"extents", extents{3, 8, 9}}}, {}},
                   {"labels", "labels", {}, {}}}};
  const auto typed = infer(net, all_ops(), 5);
  REQUIRE(typed.has_value());
  CHECK(typed->shapes[0] == shape{5, 3, 8, 9});
  CHECK(typed->shapes[1] == shape{5});
}

TEST_CASE("a loader's images are f32, labels i32, another stage's values of "
          "the run's precision",
          "[ops][input]") {
  const attributes image{{"extents", extents{4}}};
  auto value = image;
  value["activation"] = true;
  CHECK(made("input", image)->output_type(dtype::bf16) == dtype::f32);
  CHECK(made("input", value)->output_type(dtype::bf16) == dtype::bf16);
  CHECK(made("labels", {})->output_type(dtype::bf16) == dtype::i32);
  CHECK(made("input", image)->is_source());
  CHECK(made("labels", {})->is_source());
}

TEST_CASE("nobody computes what comes from outside", "[ops][input]") {
  cpu_device on;
  const attributes image{{"extents", extents{4}}};
  const node at{"image", "input", image, {}};
  const auto rule = made("input", image);
  const tensor_type type{{1, 4}, dtype::f32, layout::plain};
  const auto kernel = all_ops().make_kernel({at, *rule, {}, type, on});
  REQUIRE_FALSE(kernel.has_value());
  CHECK(kernel.failure().code == errc::not_supported);
}

TEST_CASE("an input without extents, or with wrong ones, is refused",
          "[ops][input]") {
  const std::string wanted = "input: extents: wanted a list of whole numbers "
                             "of at least 1, got ";
  CHECK(refusal("input", {}, {}) == wanted + "nothing");
  CHECK(refusal("input", {{"extents", extents{3, 0}}}, {})
        == wanted + "[3, 0]");
  CHECK(refusal("input", {{"extents", extents(6, 2)}}, {})
        == "input: extents: wanted at most 5 numbers, got 6");
}
