/// Ctrl-C: the first asks for a clean end, the second ends at once with 130.

#pragma once

#include <atomic>

namespace pd {

/// Takes over SIGINT and SIGTERM. The flag is set by the first signal.
/// Thread: the main thread, before others start.
[[nodiscard]] const std::atomic<bool>& watch_interrupts();

} // namespace pd
