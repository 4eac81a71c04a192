#include "actors/worker.hpp"

#include "actors/status_board.hpp"
#include "tests/support/stepped_system.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

using namespace pd;
using namespace std::chrono_literals;

namespace {

deploy_worker order_of(const caf::scoped_actor& coordinator) {
  deploy_worker made;
  made.coordinator = caf::actor_cast<caf::strong_actor_ptr>(coordinator);
  return made;
}

std::string failure_told(caf::scoped_actor& to) {
  std::string told;
  to->receive([&](const worker_failed& x) { told = x.what; },
              caf::after(0ms) >> [] {});
  return told;
}

} // namespace

TEST_CASE("a worker that has a job refuses another one, and keeps its own",
          "[actors][worker]") {
  stepped_system with;
  caf::scoped_actor first{with.system};
  caf::scoped_actor second{with.system};
  int seats = 0;
  const auto at = with.spawn<worker, worker_actor>(
    worker_options{[&](const deploy_worker&) -> result<worker_seat> {
                     ++seats;
                     return error{errc::failed, "this one's own fault"};
                   },
                   nullptr, std::make_shared<std::vector<tensor_receiver>>(),
                   std::make_shared<status_board>(8), false});
  with.send(at, order_of(first));
  with.run();
  CHECK(failure_told(first) == "this one's own fault");
  with.send(at, order_of(second));
  with.run();
  CHECK(failure_told(second) == "it works for another job already");
  CHECK(failure_told(first).empty());
  CHECK(seats == 1);
}
