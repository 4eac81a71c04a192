#include "tests/support/op_checks.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("avg_pool gives PyTorch's numbers", "[ops][avg_pool]") {
  check_goldens("avg_pool");
}

TEST_CASE("avg_pool's gradients are its slopes", "[ops][avg_pool]") {
  check_difference_quotients("avg_pool");
}

TEST_CASE("avg_pool allocates nothing once it is made", "[ops][avg_pool]") {
  check_allocates_nothing("avg_pool");
}

TEST_CASE("an avg_pool that does not fit is refused", "[ops][avg_pool]") {
  attributes settings{{"kernel", std::int64_t{3}}};
  CHECK(refusal("avg_pool", settings, {{1, 3, 5, 2}})
        == "avg_pool: kernel spans 3 pixels of width, input has 2 and padding "
           "0 on each side");
  CHECK(refusal("avg_pool", settings, {{1, 3, 5, 5}}).empty());
  settings["padding"] = std::int64_t{2};
  CHECK(refusal("avg_pool", settings, {{1, 3, 5, 5}})
        == "avg_pool: padding: wanted at most half of kernel = 3, got 2");
  CHECK_THAT(refusal("avg_pool", {}, {{1, 3, 5, 5}}),
             Catch::Contains("avg_pool: kernel"));
}
