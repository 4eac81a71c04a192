#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

/// logits: [labels.size(), K].
op_case loss_of(const std::vector<float>& logits,
                const std::vector<float>& labels) {
  op_case of;
  of.op = "softmax_loss";
  const auto samples = static_cast<std::int64_t>(labels.size());
  const auto classes = static_cast<std::int64_t>(logits.size()) / samples;
  of.inputs = {{{samples, classes}, logits, dtype::f32},
               {{samples}, labels, dtype::i32}};
  return of;
}

std::vector<float> output_of(const op_case& of) {
  op_harness run{of};
  run.forward();
  return run.output().values;
}

} // namespace

TEST_CASE("a batch without labels has no loss and no gradient",
          "[ops][softmax_loss]") {
  op_harness run{loss_of({1, 2, 3, 4, 5, 6}, {-1, -1})};
  run.forward();
  CHECK(run.output().values == std::vector<float>{0, 0, 0});
  run.backward_input({});
  CHECK(run.input_grad(0).values == std::vector<float>(6, 0));
}

TEST_CASE("a label is among the k greatest if fewer than k are greater",
          "[ops][softmax_loss]") {
  const std::vector<float> tied{2, 2, 1, 1, 1, 1, 1, 0};
  const auto counts = [&](float label) {
    const auto y = output_of(loss_of(tied, {label}));
    return std::vector<float>{y[1], y[2]};
  };
  CHECK(counts(1) == std::vector<float>{1, 1}); // first, with label 0
  CHECK(counts(6) == std::vector<float>{0, 1}); // two are greater
  CHECK(counts(7) == std::vector<float>{0, 0}); // seven are
}

TEST_CASE("with fewer than five classes every label is among the five",
          "[ops][softmax_loss]") {
  const auto y = output_of(loss_of({9, 1, 0, 9, 1, 0}, {2, 0}));
  CHECK(y[1] == 1);
  CHECK(y[2] == 2);
}

TEST_CASE("logits far apart give a finite loss", "[ops][softmax_loss]") {
  const auto y = output_of(loss_of({1e30F, -1e30F, 0}, {0}));
  CHECK(y[0] == 0);
  CHECK(output_of(loss_of({500, -500}, {1}))[0] == 1000);
}

TEST_CASE("softmax_loss gives PyTorch's numbers", "[ops][softmax_loss]") {
  check_goldens("softmax_loss");
}

TEST_CASE("softmax_loss's gradients are its slopes", "[ops][softmax_loss]") {
  check_difference_quotients("softmax_loss");
}

TEST_CASE("softmax_loss allocates nothing once it is made",
          "[ops][softmax_loss]") {
  check_allocates_nothing("softmax_loss");
}

TEST_CASE("a softmax_loss whose labels do not fit is refused",
          "[ops][softmax_loss]") {
  CHECK(refusal("softmax_loss", {}, {{4, 10}, {5}})
        == "softmax_loss: wanted labels [4], got [5]");
  CHECK(refusal("softmax_loss", {}, {{4, 10, 1, 1}, {4}})
        == "softmax_loss: wanted logits [N, K], got [4, 10, 1, 1]");
  CHECK(refusal("softmax_loss", {{"label_smoothing", 2.0}}, {{4, 10}, {4}})
        == "softmax_loss: label_smoothing: wanted a number from 0 to 1, got 2");
}
