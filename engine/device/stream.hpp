/// Ordered work on a device, and the points on it that others wait for.

#pragma once

#include <functional>
#include <memory>

namespace pd {

/// What an event shares with the stream that reaches it.
class event_state {
public:
  virtual ~event_state() = default;
  [[nodiscard]] virtual bool is_done() const = 0;
  /// Blocks the calling thread until the point is reached.
  virtual void block() = 0;
};

/// A point in a stream's work. A default event has always happened.
class event {
public:
  event() = default;
  explicit event(std::shared_ptr<event_state> state)
    : state_{std::move(state)} {}

  [[nodiscard]] bool is_done() const { return !state_ || state_->is_done(); }
  /// Blocks the calling thread. Never called by an actor's handler.
  void block() const {
    if (state_)
      state_->block();
  }
  [[nodiscard]] const std::shared_ptr<event_state>& state() const {
    return state_;
  }

private:
  std::shared_ptr<event_state> state_;
};

/// A queue of work on one device; what is queued runs in order, at once (CPU)
/// or later.
///
/// Invariant (1): code above a stream is right for a stream that runs late.
///
/// Thread: one at a time.
class stream {
public:
  stream() = default;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  virtual ~stream() = default;

  /// Queues `work`. A lambda of at most two pointers allocates nothing.
  virtual void run(const std::function<void()>& work) = 0;

  /// The point after all that is queued so far.
  [[nodiscard]] virtual event record() = 0;

  /// What is queued from now on runs after `point`.
  virtual void wait(const event& point) = 0;

  /// Blocks until all that is queued is done.
  void synchronize() { record().block(); }
};

} // namespace pd
