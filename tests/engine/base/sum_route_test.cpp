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

} // namespace

TEST_CASE("an exchange sends what each rank of a machine owes all others",
          "[base][sum_route]") {
  CHECK(exchange_load(machines_of(1, 4)) == 0);
  CHECK(exchange_load(machines_of(4, 1)) == Approx(2 * 3 / 4.0));
  CHECK(exchange_load(machines_of(4, 4)) == Approx(2 * 4 * 12 / 16.0));
  CHECK(exchange_load(std::vector{0, 0, 1}) == Approx(2 * 2 * 1 / 3.0));
}

TEST_CASE("a chain passes each border of two machines once a way",
          "[base][sum_route]") {
  CHECK(chain_load(machines_of(1, 4)) == 0);
  CHECK(chain_load(machines_of(2, 4)) == 1);
  CHECK(chain_load(machines_of(4, 4)) == 2);
  CHECK(chain_load(std::vector{0, 1, 0, 1}) == 3);
}

TEST_CASE("ranks that share machines sum along a chain, others by an exchange",
          "[base][sum_route]") {
  CHECK(best_sum_route(machines_of(1, 8)) == sum_route::at_home);
  CHECK(best_sum_route(machines_of(8, 1)) == sum_route::exchange);
  CHECK(best_sum_route(machines_of(2, 2)) == sum_route::chain);
  CHECK(best_sum_route(machines_of(4, 4)) == sum_route::chain);
  CHECK(best_sum_route(std::vector{0, 1, 0, 1, 0, 1}) == sum_route::exchange);
}

TEST_CASE("what goes through a link goes as 64 parts, within bounds",
          "[base][sum_route]") {
  CHECK(segment_bytes_of(0, 1 << 20) == 64 << 10);
  CHECK(segment_bytes_of(64 << 18, 1 << 20) == 1 << 18);
  CHECK(segment_bytes_of(std::int64_t{1} << 33, 1 << 20) == 1 << 20);
  CHECK(segment_bytes_of(100, 256) == 256);
}
