#include "engine/comm/store.hpp"

#include "tests/engine/comm/child.hpp"

#include <catch2/catch.hpp>

#include <future>
#include <memory>

using namespace pd;
using namespace pd::test;
using namespace std::chrono_literals;

namespace {

using bytes = rendezvous_store::bytes;

const bytes some{std::byte{1}, std::byte{0}, std::byte{255}};

} // namespace

TEST_CASE("a store gives what was set, before or after it is asked",
          "[comm][store]") {
  const store_folder folder;
  const bool is_file = GENERATE(true, false);
  std::unique_ptr<rendezvous_store> store;
  if (is_file)
    store = std::make_unique<file_store>(folder.path());
  else
    store = std::make_unique<memory_store>();
  auto asking =
    std::async(std::launch::async, [&] { return *store->get("a/b", 10s); });
  REQUIRE(store->set("a/b", some));
  CHECK(asking.get() == some);
  CHECK(*store->get("a/b", 0s) == some);
  REQUIRE(store->set("empty", {}));
  CHECK(store->get("empty", 10s)->empty());
  const auto none = store->get("none", 20ms);
  REQUIRE(!none);
  CHECK(none.failure().code == errc::io);
  CHECK(none.failure().message == "store: nobody set 'none' within 20 ms");
}

TEST_CASE("a file store without its folder is an error", "[comm][store]") {
  file_store store{"/no/such/folder"};
  const auto done = store.set("a", some);
  REQUIRE(!done);
  CHECK(done.failure().message == "store: cannot write /no/such/folder/a");
}
