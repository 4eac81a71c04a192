#include "engine/program/round_sums.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>

using namespace pd;

TEST_CASE("a round's sum has the same bits whoever comes first",
          "[program][round_sums]") {
  const std::array values{1.0, 1e-16, 1e-16, -1.0};
  std::array order{0, 1, 2, 3};
  round_sums sums{4};
  std::int64_t round = 0;
  do {
    for (int i = 0; i < 3; ++i)
      CHECK_FALSE(sums.add(
        round, order[static_cast<std::size_t>(i)],
        values[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]));
    const auto whole =
      sums.add(round++, order[3], values[static_cast<std::size_t>(order[3])]);
    REQUIRE(whole);
    CHECK(*whole == ((1.0 + 1e-16) + 1e-16) - 1.0);
  } while (std::ranges::next_permutation(order).found);
}
