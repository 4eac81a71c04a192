#include "engine/planner/sync_costs.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace pd;

namespace {

cluster levels(std::vector<std::int64_t> machines,
               std::vector<double> bandwidths) {
  return *uniform_cluster(machines, bandwidths);
}

/// Of each of these workers, of a cluster of two levels.
std::vector<int> machines_of(const cluster& on, int place, int replicas) {
  std::vector<int> made;
  for (int worker = place; worker < place + replicas; ++worker)
    made.push_back(worker / on.group_workers(1));
  return made;
}

} // namespace

TEST_CASE("a plan counts on the way that the engine's sums take",
          "[planner][sync_costs]") {
  const auto on = levels({4, 5}, {100, 1});
  for (int place = 0; place < on.size(); ++place)
    for (int replicas = 1; place + replicas <= on.size(); ++replicas) {
      const auto machines = machines_of(on, place, replicas);
      CAPTURE(place, replicas);
      CHECK(route_of(on, place, replicas) == best_sum_route(machines));
    }
}

TEST_CASE("the links between servers bear what the way puts on them",
          "[planner][sync_costs]") {
  const auto on = levels({4, 5}, {100, 1});
  for (int place = 0; place < on.size(); ++place)
    for (int replicas = 5; place + replicas <= on.size(); ++replicas) {
      const auto machines = machines_of(on, place, replicas);
      CAPTURE(place, replicas);
      CHECK(sync_seconds_per_byte(on, place, replicas)
            == Approx(std::min(chain_load(machines), exchange_load(machines))));
    }
}

TEST_CASE("replicas of one server use the links within it",
          "[planner][sync_costs]") {
  const auto on = levels({4, 2}, {100, 1});
  CHECK(sync_seconds_per_byte(on, 0, 4) == Approx(2 * 3.0 / 4 / 100));
  CHECK(sync_seconds_per_byte(on, 5, 2) == Approx(2 * 1.0 / 2 / 100));
  CHECK(sync_seconds_per_byte(on, 3, 2) == Approx(1)); // one of each server
  CHECK(sync_seconds_per_byte(on, 2, 1) == 0);
}

TEST_CASE("slow links within a server hold a chain up, too",
          "[planner][sync_costs]") {
  const auto on = levels({4, 2}, {1, 100});
  CHECK(sync_seconds_per_byte(on, 0, 8) == Approx(2)); // of a chain's middle
}
