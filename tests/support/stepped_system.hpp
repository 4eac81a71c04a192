/// An actor system that runs on the test's thread, a message at a time.

#pragma once

#include "actors/remoting.hpp"
#include "actors/supervise.hpp"

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace pd {

struct stepped_config : engine_config {
  stepped_config() {
    set("scheduler.policy", caf::atom("testing"));
    set("scheduler.max-throughput", std::size_t{1}); // messages at a step
  }
};

/// Actors that are spawned here run when run() or step() says so; what they
/// send later waits for advance(). They are ended with it.
class stepped_system {
public:
  stepped_system() : system{config_} {}
  stepped_system(const stepped_system&) = delete;
  stepped_system& operator=(const stepped_system&) = delete;
  ~stepped_system() {
    for (const auto& each : spawned_)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    run();
  }

  template <class State, class Handle, class... Ts>
  Handle spawn(Ts&&... xs) {
    auto made = system.spawn<shell<State, Handle>>(std::forward<Ts>(xs)...);
    spawned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(made));
    return made;
  }

  template <class Handle, class Message>
  void send(const Handle& to, Message what) {
    caf::anon_send(to, std::move(what));
  }

  /// One message of one actor; false if there is none.
  bool step() { return scheduler().try_run_once(); }
  /// Until nobody has a message.
  void run() {
    while (step()) {}
  }
  /// Lets time pass, and runs.
  void advance(std::chrono::milliseconds by) {
    scheduler().advance_time(by);
    run();
  }

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  stepped_config config_;

public:
  caf::actor_system system;

private:
  std::vector<caf::strong_actor_ptr> spawned_;
};

} // namespace pd
