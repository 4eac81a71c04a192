#include "engine/comm/link_timing.hpp"

#include "engine/comm/local_communicator.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace pd;

TEST_CASE("a link's latency and bandwidth are measured at rank 0",
          "[comm][link_timing]") {
  const auto group = make_local_group(2);
  const link_timing_options few{
    .round_trips = 5, .message_bytes = 1 << 12, .messages = 3, .rows = 2};
  result<measured_link> other = measured_link{1, 1};
  std::thread peer{[&] { other = time_link(*group[1], few); }};
  const auto own = time_link(*group[0], few);
  peer.join();
  REQUIRE(own);
  REQUIRE(other);
  CHECK(own->latency_s > 0);
  CHECK(own->bandwidth_bytes_per_s > 0);
  CHECK(other->latency_s == 0);
}

TEST_CASE("a peer that goes away ends the measuring of a link",
          "[comm][link_timing]") {
  const auto group = make_local_group(2);
  group[1]->close();
  CHECK_FALSE(time_link(*group[0]));
}
