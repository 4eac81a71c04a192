#include "engine/base/random.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace pd;

namespace {

using words = std::array<std::uint32_t, 4>;

constexpr std::uint64_t all_ones = ~std::uint64_t{0};
constexpr std::uint64_t samples = 200000;

struct moments {
  double mean = 0, variance = 0, skew = 0, fourth = 0;
};

template <class Draw>
moments measure(Draw draw) {
  moments sum;
  for (std::uint64_t i = 0; i < samples; ++i)
    sum.mean += double{draw(i)} / samples;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const auto d = double{draw(i)} - sum.mean;
    sum.variance += d * d / samples;
    sum.skew += d * d * d / samples;
    sum.fourth += d * d * d * d / samples;
  }
  return sum;
}

} // namespace

// The published vectors of Random123 (kat_vectors, philox4x32 10). The third
// is of the digits of pi; our key is (low) the cipher's key and (high) the
// upper half of its counter.
TEST_CASE("philox gives the published vectors", "[base][random]") {
  CHECK(philox({0, 0}, 0)
        == words{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  CHECK(philox({all_ones, all_ones}, all_ones)
        == words{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
  CHECK(philox({0x299f31d0a4093822U, 0x0370734413198a2eU}, 0x85a308d3243f6a88U)
        == words{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});
}

TEST_CASE("uniform lies in [0, 1) with a uniform's moments", "[base][random]") {
  const auto key = make_random_key(1, "uniform");
  const auto at = measure([&](std::uint64_t i) { return uniform(key, i); });
  CHECK(at.mean == Approx(0.5).margin(0.003));
  CHECK(at.variance == Approx(1.0 / 12).margin(0.001));
  CHECK(at.fourth == Approx(1.0 / 80).margin(0.0005));
  CHECK(to_uniform(0) == 0.0F);
  CHECK(to_uniform(0xffffffffU) == 1.0F - 0x1p-24F);
}

TEST_CASE("normal has a standard normal's moments", "[base][random]") {
  const auto key = make_random_key(1, "normal");
  const auto at = measure([&](std::uint64_t i) { return normal(key, i); });
  CHECK(at.mean == Approx(0).margin(0.01));
  CHECK(at.variance == Approx(1).margin(0.02));
  CHECK(at.skew == Approx(0).margin(0.04));
  CHECK(at.fourth == Approx(3).margin(0.1));
}

TEST_CASE("neighbours in a sequence do not correlate", "[base][random]") {
  const auto key = make_random_key(3, "neighbours");
  for (const std::uint64_t lag : {1U, 2U, 3U, 4U}) {
    double sum = 0;
    for (std::uint64_t i = 0; i < samples; ++i)
      sum += double{normal(key, i)} * double{normal(key, i + lag)} / samples;
    CHECK(sum == Approx(0).margin(0.01));
  }
}

TEST_CASE("a key depends on seed, name and stream", "[base][random]") {
  std::set<std::pair<std::uint64_t, std::uint64_t>> keys;
  for (const std::uint64_t seed : {0U, 1U, 2U})
    for (const auto* name : {"", "a", "b", "ab", "conv1.weight"})
      for (const std::uint64_t stream : {0U, 1U, 2U}) {
        const auto key = make_random_key(seed, name, stream);
        keys.insert({key.low, key.high});
      }
  CHECK(keys.size() == 45);
}

// Weights and data order of saved jobs depend on these bits.
TEST_CASE("the bits of a key are the same in every build", "[base][random]") {
  const auto key = make_random_key(7, "conv1.weight", 3);
  const auto again = make_random_key(7, std::string{"conv1."} + "weight", 3);
  CHECK(key.low == again.low);
  CHECK(key.high == again.high);
  CHECK(philox(key, 5) == philox(again, 5));
}

TEST_CASE("uniform_below stays below and hits all values alike",
          "[base][random]") {
  const auto key = make_random_key(1, "below");
  for (const std::uint64_t bound : {1U, 2U, 10U}) {
    std::vector<double> hits(bound, 0);
    for (std::uint64_t i = 0; i < samples; ++i) {
      const auto got = uniform_below(key, i, bound);
      REQUIRE(got < bound);
      ++hits[got];
    }
    const double wanted =
      static_cast<double>(samples) / static_cast<double>(bound);
    for (const auto each : hits)
      CHECK(each == Approx(wanted).epsilon(0.05));
  }
}

TEST_CASE("uniform_below takes the largest bounds", "[base][random]") {
  const auto key = make_random_key(1, "large");
  std::uint64_t largest = 0;
  for (std::uint64_t i = 0; i < 1000; ++i)
    largest = std::max(largest, uniform_below(key, i, all_ones));
  CHECK(largest > all_ones / 100 * 98);
}
