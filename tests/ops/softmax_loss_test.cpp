#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

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
