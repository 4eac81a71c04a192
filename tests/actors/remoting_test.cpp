/// [Note: CAF's traps] of actors/remoting.hpp.

#include "actors/remoting.hpp"

#include "actors/supervise.hpp"
#include "actors/worker.hpp"

#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

using namespace pd;
using namespace std::chrono_literals;

namespace {

/// A worker that has no job, published.
struct published_worker {
  network_config config;
  caf::actor_system system{config};
  worker_actor at = system.spawn<shell<worker, worker_actor>>(worker_options{});
  network_address address;

  published_worker() {
    const auto done = publish(system, at, {});
    REQUIRE(done);
    address = *done;
  }
  ~published_worker() {
    caf::anon_send_exit(at, caf::exit_reason::user_shutdown);
  }
  published_worker(const published_worker&) = delete;
  published_worker& operator=(const published_worker&) = delete;
};

/// Local addresses of the sockets that listen at a port: hexadecimal, as
/// /proc has them.
std::vector<std::string> listeners_at(std::uint16_t port) {
  std::ostringstream wanted;
  wanted << std::uppercase << std::hex << ":" << std::setw(4)
         << std::setfill('0') << port;
  std::vector<std::string> found;
  for (const auto* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream from{file};
    for (std::string line; std::getline(from, line);) {
      std::istringstream words{line};
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      if (state == "0A" && local.ends_with(wanted.str()))
        found.push_back(local.substr(0, local.find(':')));
    }
  }
  return found;
}

} // namespace

TEST_CASE("what is published listens at its address and at no other",
          "[actors][remoting]") {
  const published_worker here;
  CHECK(listeners_at(here.address.port)
        == std::vector<std::string>{"0100007F"}); // 127.0.0.1
}

TEST_CASE("both sides send heartbeats, so that neither drops an idle peer",
          "[actors][remoting]") {
  const network_config config;
  const auto interval =
    caf::get<caf::timespan>(config, "middleman.heartbeat-interval");
  const auto patience =
    caf::get<caf::timespan>(config, "middleman.connection-timeout");
  CHECK(interval >= 500ms); // a shorter one falls into handshakes
  CHECK(patience >= 5 * interval);
}

TEST_CASE("a worker is found, and its end is heard of", "[actors][remoting]") {
  published_worker there;
  network_config config;
  caf::actor_system here{config};
  const auto found = connect(here, there.address, 10s);
  REQUIRE(found);
  const caf::scoped_actor self{here};
  self->monitor(*found);
  caf::anon_send_exit(there.at, caf::exit_reason::user_shutdown);
  bool has_ended = false;
  self->receive([&](const caf::down_msg&) { has_ended = true; },
                caf::after(1min) >> [] {});
  CHECK(has_ended);
}

TEST_CASE("a port that nobody listens on is an error at once",
          "[actors][remoting]") {
  network_config config;
  caf::actor_system here{config};
  const auto found = connect(here, {"127.0.0.1", 1}, 10s);
  REQUIRE(!found);
  CHECK(found.failure().message == "127.0.0.1:1: nobody listens there");
}

TEST_CASE("a pd-engine that speaks otherwise is refused",
          "[actors][remoting]") {
  const published_worker there;
  network_config config;
  config.set("middleman.app-identifiers",
             std::vector<std::string>{"pd-engine/0"});
  caf::actor_system here{config};
  const auto found = connect(here, there.address, 10s);
  REQUIRE(!found);
  CHECK_THAT(found.failure().message,
             Catch::Contains("no worker of this version of pd-engine"));
}

TEST_CASE("an address is four numbers and a port", "[actors][remoting]") {
  const auto read = parse_address("10.0.0.7:7400");
  REQUIRE(read);
  CHECK(to_string(*read) == "10.0.0.7:7400");
  for (const auto* wrong : {"", "7400", "localhost:7400",
                            "10.0.0.7:", "10.0.0.7:70000", "10.0.0.7:74x"}) {
    INFO(wrong);
    const auto got = parse_address(wrong);
    REQUIRE(!got);
    CHECK(got.failure().message
          == "wanted an address and a port, as 127.0.0.1:7400, got '"
               + std::string{wrong} + "'");
  }
}
