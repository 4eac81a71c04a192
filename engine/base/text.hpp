/// Small text helpers for messages a person reads.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

/// The candidate with the smallest edit distance to `name`; empty if none is
/// near enough to be what was meant.
[[nodiscard]] std::string nearest(std::string_view name,
                                  std::span<const std::string> candidates);

/// " (did you mean 'x'?)", or "" if nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       std::span<const std::string> candidates);

/// "a, b, c"
[[nodiscard]] std::string join(std::span<const std::string> parts,
                               std::string_view separator = ", ");

[[nodiscard]] std::vector<std::string> split(std::string_view text,
                                             char separator);

/// "512 B", "1.5 KiB", "97.5 MiB", "2.25 GiB".
[[nodiscard]] std::string format_bytes(std::int64_t bytes);

/// "7 s", "1 min 05 s", "2 h 03 min".
[[nodiscard]] std::string format_duration(double seconds);

} // namespace pd
