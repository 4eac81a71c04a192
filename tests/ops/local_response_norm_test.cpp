#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("local_response_norm gives PyTorch's numbers",
          "[ops][local_response_norm]") {
  check_goldens("local_response_norm");
}

TEST_CASE("local_response_norm's gradients are its slopes",
          "[ops][local_response_norm]") {
  check_difference_quotients("local_response_norm");
}

TEST_CASE("local_response_norm allocates nothing once it is made",
          "[ops][local_response_norm]") {
  check_allocates_nothing("local_response_norm");
}

TEST_CASE("a local_response_norm of what is no image, or of no window, is "
          "refused",
          "[ops][local_response_norm]") {
  const attributes five{{"size", std::int64_t{5}}};
  CHECK(refusal("local_response_norm", five, {{2, 3, 4, 4}}).empty());
  CHECK(refusal("local_response_norm", five, {{2, 3}})
        == "local_response_norm: wanted an input [N, C, H, W], got [2, 3]");
  CHECK_THAT(refusal("local_response_norm", {}, {{2, 3, 4, 4}}),
             Catch::Contains("local_response_norm: size: wanted"));
  CHECK(refusal("local_response_norm", {{"size", std::int64_t{5000}}},
                {{2, 3, 4, 4}})
        == "local_response_norm: size: wanted at most 4096, got 5000");
  auto without_k = five;
  without_k["k"] = 0.0;
  CHECK_THAT(refusal("local_response_norm", without_k, {{2, 3, 4, 4}}),
             Catch::Contains("local_response_norm: k: wanted a number"));
}
