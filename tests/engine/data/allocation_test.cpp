#include "engine/data/prefetch.hpp"
#include "tests/engine/data/numbered_set.hpp"
#include "tests/support/allocation_counter.hpp"

#include <catch2/catch.hpp>

using namespace pd;
using namespace pd::test;

namespace {

/// What is allocated while a prefetch gives every batch but the first few.
std::int64_t allocations_of_steady_state(const dataset& set) {
  auto order =
    sampler::make({.samples = set.size(), .microbatch = 8, .seed = 1});
  REQUIRE(order);
  prefetch ahead{set, *std::move(order), {.slots = 3, .epochs = 5}};
  for (int i = 0; i < 5; ++i)
    REQUIRE(ahead.next());
  const allocation_counter counter;
  int batches = 0;
  while (true) {
    const auto batch = ahead.next();
    if (!batch || !*batch)
      break;
    ++batches;
  }
  const auto made = counter.count();
  REQUIRE(batches > 100);
  return made.ours;
}

} // namespace

TEST_CASE("prefetch allocates nothing once it runs, over epochs too",
          "[data][prefetch][allocation]") {
  CHECK(allocations_of_steady_state(numbered_set{1000}) == 0);
}

TEST_CASE("prefetch with a resize allocates nothing once it runs",
          "[data][prefetch][allocation]") {
  dataset_spec spec;
  spec.name = "synthetic";
  spec.height = 40;
  spec.width = 50;
  spec.channels = 3;
  spec.classes = 5;
  spec.samples = 200;
  const auto set = open_dataset(spec);
  REQUIRE(set);
  CHECK(allocations_of_steady_state(**set) == 0);
}
