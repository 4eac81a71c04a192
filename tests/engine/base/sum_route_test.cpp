#include "engine/base/sum_route.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace pd;

namespace {

/// `count` machines of `ranks` ranks each, one after the other.
std::vector<int> machines_of(int count, int ranks) {
  std::vector<int> made;
  for (int machine = 0; machine < count; ++machine)
    made.insert(made.end(), static_cast<std::size_t>(ranks), machine);
  return made;
}

sum_route route_of(const std::vector<int>& machines, std::int64_t bytes) {
  return best_sum_route(sum_loads_of(machines), bytes, 1 << 20);
}

} // namespace

TEST_CASE("an exchange sends what each rank of a machine owes all others",
          "[base][sum_route]") {
  CHECK(sum_loads_of(machines_of(1, 4)).exchange == 0);
  CHECK(sum_loads_of(machines_of(4, 1)).exchange == Approx(2 * 3 / 4.0));
  CHECK(sum_loads_of(machines_of(4, 4)).exchange == Approx(2 * 4 * 12 / 16.0));
  CHECK(sum_loads_of(std::vector{0, 0, 1}).exchange == Approx(2 * 2 * 1 / 3.0));
}

TEST_CASE("a chain passes each border of two machines once a way",
          "[base][sum_route]") {
  CHECK(sum_loads_of(machines_of(1, 4)).chain == 0);
  CHECK(sum_loads_of(machines_of(2, 4)).chain == 1);
  CHECK(sum_loads_of(machines_of(4, 4)).chain == 2);
  CHECK(sum_loads_of(machines_of(4, 4)).borders == 3);
  CHECK(sum_loads_of(std::vector{0, 1, 0, 1}).chain == 3);
}

TEST_CASE("a large sum takes the chain where that loads links less",
          "[base][sum_route]") {
  constexpr std::int64_t bytes = 64 << 20;
  CHECK(route_of(machines_of(1, 8), bytes) == sum_route::at_home);
  CHECK(route_of(machines_of(8, 1), bytes) == sum_route::exchange);
  CHECK(route_of(machines_of(2, 2), bytes) == sum_route::chain);
  CHECK(route_of(machines_of(4, 4), bytes) == sum_route::chain);
  CHECK(route_of({0, 1, 0, 1, 0, 1}, bytes) == sum_route::exchange);
}

TEST_CASE("small sums and long ways are no chain's", "[base][sum_route]") {
  CHECK(route_of(machines_of(4, 4), 1000) == sum_route::exchange);
  CHECK(route_of(machines_of(4, 4), 0) == sum_route::exchange);
  CHECK(route_of(machines_of(128, 2), 64 << 20) == sum_route::exchange);
}

TEST_CASE("what goes through a link goes as 64 parts, within bounds",
          "[base][sum_route]") {
  CHECK(chain_segment_bytes(0, 1 << 20) == 64 << 10);
  CHECK(chain_segment_bytes(64 << 18, 1 << 20) == 1 << 18);
  CHECK(chain_segment_bytes(std::int64_t{1} << 33, 1 << 20) == 1 << 20);
  CHECK(chain_segment_bytes(100, 256) == 256);
  CHECK(exchange_segment_bytes(100, 1 << 20) == 256 << 10);
  CHECK(exchange_segment_bytes(64 << 19, 1 << 20) == 1 << 19);
}
