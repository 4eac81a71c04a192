#include "actors/worker_places.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace pd;

namespace {

cluster two_machines() {
  cluster made;
  for (const auto& [address, name] :
       {std::pair{"10.77.0.2:7400", "a"}, std::pair{"10.77.0.3:7400", "b"}}) {
    auto& each = made.workers.emplace_back();
    each.address = address;
    each.network_namespace = name;
  }
  return made;
}

} // namespace

TEST_CASE("workers are placed in their cluster's namespaces, in its order",
          "[actors][cluster]") {
  const auto made = places_in(two_machines(), "10.77.0.1", 2);
  REQUIRE(made);
  CHECK(made->coordinator_host == "10.77.0.1");
  REQUIRE(made->workers.size() == 2);
  CHECK(made->workers[1].listen == "10.77.0.3:7400");
  CHECK(command_at(made->workers[1], {"/bin/pd-engine", "worker"})
        == std::vector<std::string>{"ip", "netns", "exec", "b",
                                    "/bin/pd-engine", "worker"});
  CHECK(command_at({}, {"/bin/pd-engine"})
        == std::vector<std::string>{"/bin/pd-engine"});
}

TEST_CASE("a cluster that is too small or elsewhere is refused",
          "[actors][cluster]") {
  CHECK(places_in(two_machines(), "", 3).failure().message
        == "cluster: wanted at least 3 workers, as the job has, got 2");
  auto elsewhere = two_machines();
  elsewhere.workers[1].network_namespace.clear();
  CHECK_THAT(places_in(elsewhere, "", 2).failure().message,
             Catch::Contains("worker 1: wanted one in a network namespace of "
                             "this machine"));
}
