#include "actors/rendezvous.hpp"

#include "actors/remoting.hpp"
#include "actors/supervise.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <future>

using namespace pd;
using namespace std::chrono_literals;

namespace {

/// A store and its actor, which ends with it.
struct store_here {
  engine_config config;
  caf::actor_system system{config};
  rendezvous_actor at = system.spawn<shell<rendezvous, rendezvous_actor>>();
  actor_store store{system, at};

  store_here() = default;
  store_here(const store_here&) = delete;
  store_here& operator=(const store_here&) = delete;
  ~store_here() { caf::anon_send_exit(at, caf::exit_reason::kill); }
};

rendezvous_store::bytes bytes_of(const char* text) {
  rendezvous_store::bytes made;
  for (; *text != 0; ++text)
    made.push_back(static_cast<std::byte>(*text));
  return made;
}

} // namespace

TEST_CASE("a get is answered once the key is set", "[actors][rendezvous]") {
  store_here here;
  auto early = std::async(std::launch::async,
                          [&] { return here.store.get("rank 1", 1min); });
  REQUIRE(here.store.set("rank 0", bytes_of("a")));
  REQUIRE(here.store.set("rank 1", bytes_of("b")));
  CHECK(*early.get() == bytes_of("b"));
  CHECK(*here.store.get("rank 0", 1min) == bytes_of("a"));
}

TEST_CASE("a key that nobody sets is an error that names it",
          "[actors][rendezvous]") {
  store_here here;
  const auto got = here.store.get("rank 2", 10ms);
  REQUIRE(!got);
  CHECK(got.failure().message == "nobody set 'rank 2' within 10 ms");
}

TEST_CASE("a closed store answers everybody with its reason",
          "[actors][rendezvous]") {
  store_here here;
  auto early = std::async(std::launch::async,
                          [&] { return here.store.get("rank 1", 1min); });
  caf::anon_send(here.at, close_store{"worker 1 was killed"});
  const auto late = here.store.get("rank 2", 1min);
  REQUIRE(!late);
  CHECK(late.failure().message == "worker 1 was killed");
  const auto got = early.get();
  REQUIRE(!got);
  CHECK(got.failure().message == "worker 1 was killed");
}
