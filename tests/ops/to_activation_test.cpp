#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

op_case border(const shape& extents) {
  op_case of;
  of.name = to_string(extents);
  of.op = "to_activation";
  host_tensor x{extents, {}, dtype::f32};
  for (std::int64_t i = 0; i < extents.elems(); ++i)
    x.values.push_back(static_cast<float>(i % 251) - 100); // as bf16 holds it
  of.inputs = {x};
  return of;
}

} // namespace

TEST_CASE("to_activation keeps every element, whatever the layout",
          "[ops][to_activation]") {
  for (const auto& extents : {shape{2, 3, 5, 7}, shape{1, 1, 4, 4},
                              shape{3, 16, 3, 1}, shape{2, 19, 2, 2}})
    for (const auto order :
         {layout::blocked8, layout::blocked16, layout::channels_last})
      for (const auto activation : {dtype::f32, dtype::bf16}) {
        const auto of = border(extents);
        op_harness run{
          of,
          {.activation = activation, .order = order, .is_plain_input = true}};
        run.forward(); // the harness checks that padding is zero
        CHECK(run.output().values == of.inputs[0].values);
      }
}

TEST_CASE("to_activation of two inputs is refused", "[ops][to_activation]") {
  CHECK(refusal("to_activation", {}, {{1, 2}, {1, 2}})
        == "to_activation: takes 1 input, got 2");
}
