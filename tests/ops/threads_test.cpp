/// The engine's results do not depend on timing; these ops' not even on the
/// number of threads.

#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

std::vector<float> results(const op_case& of, const op_variant& how) {
  op_harness run{of, how};
  run.forward();
  auto found = run.output().values;
  if (!of.is_training)
    return found;
  run.backward_input(of.output_grad);
  run.backward_weight();
  const auto append = [&](const host_tensor& more) {
    found.insert(found.end(), more.values.begin(), more.values.end());
  };
  for (std::size_t i = 0; i < of.inputs.size(); ++i)
    if (of.grads.contains("input" + std::to_string(i)))
      append(run.input_grad(static_cast<int>(i)));
  for (const auto& [suffix, values] : of.parameters)
    if (of.grads.contains(suffix))
      append(run.parameter_grad(suffix));
  return found;
}

} // namespace

TEST_CASE("elementwise ops, moves, norms, attention and the loss give the same "
          "bits for any number of threads",
          "[ops][threads]") {
  for (const auto* name :
       {"relu", "add", "identity", "dropout", "flatten", "concat", "batch_norm",
        "softmax_loss", "gelu", "layer_norm", "tokens", "class_token",
        "position_embedding", "take_token", "attention"})
    for (const auto& of : golden_cases(name))
      for (const auto activation : {dtype::f32, dtype::bf16}) {
        INFO(of.op << " " << of.name);
        const auto alone =
          results(of, {.activation = activation, .threads = 1});
        for (const int threads : {2, 3, 7})
          CHECK(results(of, {.activation = activation, .threads = threads})
                == alone);
      }
}
