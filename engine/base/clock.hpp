/// Time for spans and rates: monotonic, in microseconds and seconds.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace pd {

/// Microseconds of the monotonic clock; only differences mean anything.
[[nodiscard]] std::int64_t now_us();

/// Seconds since `start_us`, which was read from now_us().
[[nodiscard]] double seconds_since(std::int64_t start_us);

/// What is left until then, at least 0.
[[nodiscard]] std::chrono::milliseconds
time_until(std::chrono::steady_clock::time_point deadline);

/// Local time as "20261124-031426", for names of files and folders.
[[nodiscard]] std::string timestamp();

} // namespace pd
