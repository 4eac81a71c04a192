#include "engine/device/replay_device.hpp"

#include <algorithm>
#include <chrono>
#include <sys/prctl.h>
#include <thread>
#include <utility>

namespace pd {

namespace {

using microseconds = std::chrono::duration<double, std::micro>;

/// The stream whose work runs on this thread.
thread_local replay_stream* running = nullptr;

/// The system else ends a sleep up to 50 us late, to wake up less often.
void sleep_exactly() {
  static thread_local const int is_set = ::prctl(PR_SET_TIMERSLACK, 1);
  (void)is_set;
}

/// How much longer it slept.
double sleep_for(double us) {
  sleep_exactly();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(microseconds{us});
  return microseconds{std::chrono::steady_clock::now() - begin}.count() - us;
}

} // namespace

void replay_stream::run(const std::function<void()>& work) {
  auto* const before = std::exchange(running, this);
  cpu_stream::run(work);
  running = before;
}

/// A device was done when its time was over, whenever its host woke up: what a
/// sleep lasted too long is taken off the next one.
event replay_stream::record() {
  const auto us = std::exchange(unspent_us_, 0) - late_us_;
  if (us > 0)
    late_us_ = std::max(0.0, sleep_for(us));
  else
    late_us_ = -us;
  return {};
}

void replay_stream::spend(double us) {
  if (running != nullptr)
    running->unspent_us_ += us;
}

} // namespace pd
