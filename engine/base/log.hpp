/// What a run tells: into its log file, and warnings to the terminal.
///
/// The terminal (stderr) shows warnings and errors, and more only if
/// log_level asks for it; a file gets infos too. There is one log a process.
///
/// Thread: any.

#pragma once

#include "engine/base/error.hpp"

#include <fmt/core.h>
#include <string>
#include <utility>

namespace pd {

enum class severity { debug, info, warning, error };

/// Writes one line, as it is.
void log_message(severity how, const std::string& text);

/// Lines from now on go to `path` too, after what is there; the last file
/// that was given is the only one. Errors: io.
[[nodiscard]] result<void> log_to_file(const std::string& path);

/// What the terminal shows: "debug", "info", "warning" or "error" and worse.
/// Errors: unknown_name.
[[nodiscard]] result<void> log_level(const std::string& name);

inline void log_debug(const std::string& text) {
  log_message(severity::debug, text);
}
inline void log_info(const std::string& text) {
  log_message(severity::info, text);
}
inline void log_warning(const std::string& text) {
  log_message(severity::warning, text);
}
inline void log_error(const std::string& text) {
  log_message(severity::error, text);
}

// -- with a format: log_info("{} of {}", done, all) ---------------------------

template <class T, class... Ts>
void log_debug(fmt::format_string<T, Ts...> text, T&& x, Ts&&... xs) {
  log_debug(fmt::format(text, std::forward<T>(x), std::forward<Ts>(xs)...));
}
template <class T, class... Ts>
void log_info(fmt::format_string<T, Ts...> text, T&& x, Ts&&... xs) {
  log_info(fmt::format(text, std::forward<T>(x), std::forward<Ts>(xs)...));
}
template <class T, class... Ts>
void log_warning(fmt::format_string<T, Ts...> text, T&& x, Ts&&... xs) {
  log_warning(fmt::format(text, std::forward<T>(x), std::forward<Ts>(xs)...));
}
template <class T, class... Ts>
void log_error(fmt::format_string<T, Ts...> text, T&& x, Ts&&... xs) {
  log_error(fmt::format(text, std::forward<T>(x), std::forward<Ts>(xs)...));
}

} // namespace pd
