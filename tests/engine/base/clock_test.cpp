#include "engine/base/clock.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>

using namespace pd;

TEST_CASE("the clock never goes back", "[base][clock]") {
  auto last = now_us();
  for (int i = 0; i < 1000; ++i) {
    const auto now = now_us();
    REQUIRE(now >= last);
    last = now;
  }
  CHECK(seconds_since(last - 1500000) >= 1.5);
}

TEST_CASE("a timestamp names a folder and sorts by time", "[base][clock]") {
  const auto text = timestamp();
  REQUIRE(text.size() == 15);
  CHECK(text[8] == '-');
  const auto digits = std::ranges::count_if(
    text, [](unsigned char each) { return std::isdigit(each) != 0; });
  CHECK(digits == 14);
}
