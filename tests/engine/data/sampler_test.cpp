#include "engine/data/sampler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <string>

using namespace pd;

namespace {

using order = std::vector<std::int64_t>;

order shuffled(std::size_t samples, std::uint64_t seed, std::int64_t epoch) {
  order made(samples);
  shuffle_order(made, seed, epoch);
  return made;
}

order first_ten(const order& all) {
  return {all.begin(), all.begin() + 10};
}

sampler make(const sampler_spec& spec) {
  auto made = sampler::make(spec);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

order copied(std::span<const std::int64_t> indices) {
  return {indices.begin(), indices.end()};
}

order all_indices(const sampler& from) {
  order all;
  for (std::int64_t k = 0; k < from.microbatches(); ++k)
    for (const auto index : from.indices(k))
      all.push_back(index);
  return all;
}

std::string refusal(const sampler_spec& spec) {
  const auto made = sampler::make(spec);
  REQUIRE(!made);
  CHECK(made.failure().code == errc::bad_value);
  return made.failure().message;
}

} // namespace

TEST_CASE("a shuffle is a permutation of all samples", "[data][sampler]") {
  for (const std::size_t samples : {1U, 2U, 7U, 1000U}) {
    auto made = shuffled(samples, 3, 0);
    std::sort(made.begin(), made.end());
    order wanted(samples);
    std::iota(wanted.begin(), wanted.end(), 0);
    CHECK(made == wanted);
  }
}

TEST_CASE("a shuffle is a function of seed and epoch", "[data][sampler]") {
  const auto made = shuffled(1000, 3, 1);
  CHECK(shuffled(1000, 3, 1) == made);
  CHECK(shuffled(1000, 3, 2) != made);
  CHECK(shuffled(1000, 4, 1) != made);
}

TEST_CASE("a shuffle is the one that docs/data.md computes in Python",
          "[data][sampler]") {
  CHECK(first_ten(shuffled(60000, 1, 0))
        == order{28577, 13405, 55267, 20237, 31323, 21495, 40345, 45226, 36798,
                 59529});
  CHECK(first_ten(shuffled(60000, 1, 1))
        == order{41279, 11063, 17647, 25172, 46368, 9103, 6145, 44956, 40270,
                 13361});
  CHECK(
    first_ten(shuffled(60000, 2, 0))
    == order{39772, 37190, 34, 6489, 9719, 51390, 3625, 16895, 38414, 31672});
  CHECK(shuffled(10, 1, 0) == order{9, 0, 5, 6, 7, 4, 2, 3, 1, 8});
}

TEST_CASE("a shuffle puts every sample everywhere equally often",
          "[data][sampler]") {
  constexpr std::size_t samples = 8;
  constexpr int epochs = 4000;
  std::vector<int> counts(samples * samples);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const auto made = shuffled(samples, 5, epoch);
    for (std::size_t i = 0; i < samples; ++i)
      ++counts[i * samples + static_cast<std::size_t>(made[i])];
  }
  for (const auto count : counts) // 500, deviation 21
    CHECK(std::abs(count - 500) < 110);
}

TEST_CASE("an epoch has no other order for the epochs before it",
          "[data][sampler]") {
  auto through = make({.samples = 50, .microbatch = 4, .seed = 9});
  for (std::int64_t epoch = 0; epoch <= 3; ++epoch)
    through.start_epoch(epoch);
  auto at_once = make({.samples = 50, .microbatch = 4, .seed = 9});
  at_once.start_epoch(3);
  CHECK(all_indices(through) == all_indices(at_once));
  CHECK(at_once.epoch() == 3);
}

TEST_CASE("without a shuffle the samples come in file order",
          "[data][sampler]") {
  auto made = make({.samples = 11, .microbatch = 4, .shuffle = false});
  made.start_epoch(2);
  CHECK(made.microbatches() == 2);
  CHECK(made.left_over() == 3);
  CHECK(copied(made.indices(0)) == order{0, 1, 2, 3});
  CHECK(copied(made.indices(1)) == order{4, 5, 6, 7});
}

TEST_CASE("an epoch has whole rounds on every stage", "[data][sampler]") {
  const std::vector<std::int64_t> rounds{2, 3, 1, 2};
  CHECK(round_of(rounds) == 6);
  CHECK(round_of({}) == 1);
  const auto made = make({.samples = 100, .microbatch = 5, .round = 6});
  CHECK(made.microbatches() == 18);
  CHECK(made.left_over() == 10);
  const auto limited =
    make({.samples = 100, .microbatch = 5, .round = 6, .max_microbatches = 17});
  CHECK(limited.microbatches() == 12);
}

TEST_CASE("an evaluation takes every sample, the last microbatch short",
          "[data][sampler]") {
  const auto made =
    make({.samples = 11, .microbatch = 4, .shuffle = false, .takes_all = true});
  CHECK(made.microbatches() == 3);
  CHECK(made.left_over() == 0);
  CHECK(copied(made.indices(2)) == order{8, 9, 10});
}

TEST_CASE("every microbatch has one replica and a replica every R-th",
          "[data][sampler]") {
  for (int replicas = 1; replicas <= 5; ++replicas)
    for (std::int64_t k = 0; k < 20; ++k) {
      CHECK(replica_of(k, replicas) == k % replicas);
      for (int r = 0; r < replicas; ++r) {
        const auto next = next_of_replica(k, r, replicas);
        CHECK(replica_of(next, replicas) == r);
        CHECK(next >= k);
        CHECK(next < k + replicas);
      }
    }
}

TEST_CASE("samples that fill no round are refused", "[data][sampler]") {
  CHECK(refusal({.samples = 100, .microbatch = 16, .round = 8})
        == "data: 100 samples do not fill one round of 8 microbatches of 16");
  CHECK(refusal({.samples = 100, .round = 8, .max_microbatches = 7})
        == "data: 100 samples do not fill one round of 8 microbatches of 1 "
           "within 7 microbatches");
  CHECK(refusal({.samples = 0}) == "data: samples = 0, wants at least 1");
  CHECK(refusal({.samples = 1, .microbatch = 0})
        == "data: microbatch = 0, wants at least 1");
  CHECK(refusal({.samples = 1, .round = 0})
        == "data: round = 0, wants at least 1");
  CHECK(refusal({.samples = 1, .max_microbatches = -1})
        == "data: max_microbatches = -1, wants at least 0");
}
