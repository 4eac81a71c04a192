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

TEST_CASE("a plan knows of machines what the engine knows of ranks",
          "[planner][sync_costs]") {
  const auto on = levels({4, 5}, {100, 1});
  for (int place = 0; place < on.size(); ++place)
    for (int replicas = 1; place + replicas <= on.size(); ++replicas) {
      const auto wanted = sum_loads_of(machines_of(on, place, replicas));
      const auto loads = loads_of(on, place, replicas);
      CAPTURE(place, replicas);
      CHECK(loads.exchange == Approx(wanted.exchange));
      CHECK(loads.chain == wanted.chain);
      CHECK(loads.borders == wanted.borders);
    }
}

TEST_CASE("the links between servers bear what the way puts on them",
          "[planner][sync_costs]") {
  const auto on = levels({4, 5}, {1e9, 1});
  for (int place = 0; place < on.size(); ++place)
    for (int replicas = 5; place + replicas <= on.size(); ++replicas) {
      const auto loads = loads_of(on, place, replicas);
      CAPTURE(place, replicas);
      CHECK(sync_seconds_per_byte(on, place, replicas)
            == Approx(std::min(loads.chain + 2 * loads.borders / 64.0,
                               loads.exchange)));
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
  const auto on = levels({4, 2}, {1, 1e9});
  // A middle one's 2, and six borders of workers both ways for the first part.
  CHECK(sync_seconds_per_byte(on, 0, 8) == Approx(2 + 2 * 6 / 64.0));
}

TEST_CASE("the links of each of three levels bear their own",
          "[planner][sync_costs]") {
  const auto racks_slow = levels({2, 2, 3}, {1e9, 1e9, 1});
  CHECK(sync_seconds_per_byte(racks_slow, 0, 12)
        == Approx(2 + 2 * 2 / 64.0)); // a chain over three racks
  const auto servers_slow = levels({2, 2, 3}, {1e9, 1, 1e9});
  CHECK(sync_seconds_per_byte(servers_slow, 0, 12)
        == Approx(1 + 2 * 3 / 64.0)); // one border of servers in each rack
}
