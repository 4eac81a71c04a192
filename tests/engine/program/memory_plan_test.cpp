#include "engine/program/memory_plan.hpp"

#include "engine/base/random.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

bool share_a_step(const lifetime& a, const lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

bool share_a_byte(const arena_plan& plan, std::span<const lifetime> wanted,
                  std::size_t i, std::size_t j) {
  return plan.offsets[i] < plan.offsets[j] + wanted[j].bytes
         && plan.offsets[j] < plan.offsets[i] + wanted[i].bytes;
}

std::vector<lifetime> random_lifetimes(std::uint64_t seed, int count) {
  const auto key = make_random_key(seed, "lifetimes");
  std::vector<lifetime> made;
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(3 * i);
    const auto first = static_cast<int>(uniform_below(key, at, 50));
    const auto length = static_cast<int>(uniform_below(key, at + 1, 20));
    const auto bytes =
      static_cast<std::int64_t>(uniform_below(key, at + 2, 5000));
    made.push_back({bytes, first, first + length});
  }
  return made;
}

} // namespace

TEST_CASE("no two that are alive at one step share a byte",
          "[program][memory_plan]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto wanted = random_lifetimes(seed, 60);
    const auto plan = plan_arena(wanted);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CHECK(plan.offsets[i] + wanted[i].bytes <= plan.bytes);
      CHECK(plan.offsets[i] % 64 == 0);
      for (std::size_t j = 0; j < i; ++j)
        if (share_a_step(wanted[i], wanted[j]))
          REQUIRE_FALSE(share_a_byte(plan, wanted, i, j));
    }
  }
}

TEST_CASE("what does not live together shares its place",
          "[program][memory_plan]") {
  const std::vector<lifetime> wanted{{1024, 0, 1}, {1024, 2, 3}, {512, 4, 5}};
  const auto plan = plan_arena(wanted);
  CHECK(plan.bytes == 1024);
  CHECK(plan.offsets == std::vector<std::int64_t>{0, 0, 0});
}

TEST_CASE(
  "a stack of activations and its gradients needs little more than what is "
  "alive",
  "[program][memory_plan]") {
  std::vector<lifetime> wanted;
  const int nodes = 20;
  for (int i = 0; i < nodes; ++i) {
    const std::int64_t bytes = 64 * (nodes - i) * (nodes - i);
    wanted.push_back({bytes, i, 2 * nodes - 1 - i}); // the value
    wanted.push_back({bytes, 2 * nodes - 2 - i, 2 * nodes - 1 - i}); // its grad
  }
  const auto plan = plan_arena(wanted);
  const auto least = least_bytes(wanted);
  CHECK(plan.bytes >= least);
  CHECK(static_cast<double>(plan.bytes) <= 1.05 * static_cast<double>(least));
}

TEST_CASE("an empty plan takes no memory", "[program][memory_plan]") {
  CHECK(plan_arena({}).bytes == 0);
}
