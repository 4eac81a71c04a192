/// Where faults become errors: what an actor throws ends it with its text. Who
/// sees its end: a worker that of its own actors, which it tells the
/// coordinator (worker_failed); the coordinator that of the workers, and of
/// their processes (process_ended); the client that of the coordinator.
///
/// Also the shell that every actor of ours runs in: its state is a plain class,
/// built and destroyed on the actor's own thread.

#pragma once

#include "engine/base/error.hpp"

#include <caf/exit_reason.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <pthread.h>
#include <string>
#include <utility>

namespace pd {

/// The error of a thrown exception: sec::runtime_error with its text.
[[nodiscard]] caf::error to_caf_error(const std::exception_ptr& thrown);

/// The text that came with it, or CAF's own words.
[[nodiscard]] std::string text_of(const caf::error& from);

/// The value; or throws its error, which ends the actor.
template <class T>
[[nodiscard]] T value_or_throw(result<T> from) {
  if (!from)
    throw engine_fault{from.failure().message};
  return *std::move(from);
}

/// Throws if a transfer with other workers failed.
inline void check_peer(const result<void>& done) {
  if (!done)
    throw engine_fault{done.failure().message};
}

/// Called by every actor of ours before each message, on its own thread; null:
/// nothing is. For tests, which let actors be late at random.
inline std::atomic<void (*)()> before_each_message{nullptr};

/// An actor whose behaviour is State::make_behavior(). State: a constructor
/// (Handle::pointer self, xs...), and `static inline const char* name`.
template <class State, class Handle>
class shell final : public Handle::base {
public:
  template <class... Ts>
  explicit shell(caf::actor_config& config, Ts... xs)
    : Handle::base(config), make_{[this, ... xs = std::move(xs)]() mutable {
        state_ = std::make_unique<State>(this, std::move(xs)...);
      }} {
    this->set_exception_handler(
      [](caf::scheduled_actor*, std::exception_ptr& thrown) {
        return to_caf_error(thrown);
      });
  }

  typename Handle::behavior_type make_behavior() override {
    if (this->getf(caf::abstract_actor::is_detached_flag))
      pthread_setname_np(pthread_self(), State::name); // for top -H and gdb
    std::exchange(make_, nullptr)();
    return state_->make_behavior();
  }

  void on_exit() override { state_.reset(); }

  caf::invoke_message_result consume(caf::mailbox_element& message) override {
    if (auto* call = before_each_message.load(std::memory_order_relaxed))
      call();
    return Handle::base::consume(message);
  }

  [[nodiscard]] const char* name() const override { return State::name; }

private:
  std::function<void()> make_;
  std::unique_ptr<State> state_;
};

} // namespace pd
