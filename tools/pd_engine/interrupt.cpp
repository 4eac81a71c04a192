#include "tools/pd_engine/interrupt.hpp"

#include "tools/pd_engine/commands.hpp"

#include <csignal>
#include <unistd.h>

namespace pd {

namespace {

std::atomic<bool> was_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (was_asked.exchange(true))
    _exit(interrupted_status);
  constexpr char text[] =
    "\ninterrupted: ending after what has begun; again ends at once\n";
  [[maybe_unused]] const auto written =
    write(STDERR_FILENO, text, sizeof text - 1);
}

} // namespace

const std::atomic<bool>& watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return was_asked;
}

} // namespace pd
