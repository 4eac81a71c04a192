/// Not a test by itself: what a worker's process runs when a test wants its
/// actors and links to be late at random. See actor_runner_test.cpp.

#include "actors/worker_processes.hpp"
#include "tests/actors/random_delays.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <string>

using namespace pd;

TEST_CASE("a late worker of a test", "[.late_worker]") {
  const auto* seed = std::getenv("PD_TEST_DELAYS");
  if (seed == nullptr)
    return; // by hand
  const random_delays late{std::stoull(seed)};
  const auto done = run_worker_process({{}, true}, all_ops());
  FAIL(done.failure().message); // else it does not return
}
