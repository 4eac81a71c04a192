#include "engine/planner/cluster.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace pd;

namespace {

cluster uniform(std::vector<std::int64_t> machines,
                std::vector<double> bandwidths) {
  auto made = uniform_cluster(machines, bandwidths);
  REQUIRE(made);
  return *std::move(made);
}

std::string failure_of(std::vector<std::int64_t> machines,
                       std::vector<double> bandwidths) {
  const auto made = uniform_cluster(machines, bandwidths);
  REQUIRE_FALSE(made);
  return made.failure().message;
}

} // namespace

TEST_CASE("two workers meet on the lowest level that both are under",
          "[planner][cluster]") {
  const auto on = uniform({3, 2, 2}, {3, 2, 1});
  CHECK(on.size() == 12);
  CHECK(on.level_between(0, 2) == 0);
  CHECK(on.level_between(2, 3) == 1);
  CHECK(on.level_between(5, 0) == 1);
  CHECK(on.level_between(5, 6) == 2);
  CHECK(on.group_workers(0) == 1);
  CHECK(on.group_workers(2) == 6);
}

TEST_CASE("a cluster that cannot be is refused", "[planner][cluster]") {
  CHECK(failure_of({4, 2}, {1})
        == "wanted a bandwidth for each level of machines, got 1 for 2");
  CHECK(failure_of({0}, {1}) == "machines: wanted 1 to 4096, got 0");
  CHECK(failure_of({4096, 2}, {1, 1})
        == "machines: wanted 4096 workers at most, got more");
  CHECK(failure_of({2}, {0})
        == "bandwidth: wanted bytes a second, more than 0, got 0.0");
  CHECK(failure_of({2}, {std::numeric_limits<double>::infinity()})
        == "bandwidth: wanted bytes a second, more than 0, got inf");
  CHECK(failure_of({}, {})
        == "wanted a worker and a network at least, got 1 and 0");
}

TEST_CASE("levels that do not hold the workers are refused",
          "[planner][cluster]") {
  auto on = uniform({2, 2}, {1, 1});
  on.workers.pop_back();
  REQUIRE_FALSE(on.validate());
  CHECK(on.validate().failure().message
        == "machines: wanted levels of 3 workers, got levels of 4");
  on.workers.resize(4);
  on.workers[1].speed = 0;
  REQUIRE_FALSE(on.validate());
  CHECK(on.validate().failure().message
        == "speed: wanted a factor above 0, got 0.0");
}
