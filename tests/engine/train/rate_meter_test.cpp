#include "engine/train/rate_meter.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("updates that are told together have the rate of the time before",
          "[train]") {
  rate_meter rate{5'000'000};
  CHECK(rate.add(16, 5'500'000) == Approx(32));
  CHECK(rate.add(16, 5'500'001) == Approx(64).epsilon(1e-3));
  CHECK(rate.add(16, 6'000'000) == Approx(48));
}

TEST_CASE("a rate forgets what is older than a second", "[train]") {
  rate_meter rate{0};
  for (int i = 1; i <= 10; ++i)
    (void)rate.add(100, i * 100'000);
  for (int i = 1; i <= 9; ++i)
    (void)rate.add(10, 1'000'000 + i * 100'000);
  CHECK(rate.add(10, 2'000'000) == Approx(100));
}

TEST_CASE("a step that lasts longer than a second has its own rate",
          "[train]") {
  rate_meter rate{0};
  CHECK(rate.add(30, 2'000'000) == Approx(15));
  CHECK(rate.add(30, 5'000'000) == Approx(10));
}
