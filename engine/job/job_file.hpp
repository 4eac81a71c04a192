/// Reads and writes job files (docs/job-file.md).
///
/// Whatever is not understood, out of range, or understood but not carried
/// out by this version is an error: no value is read and ignored.

#pragma once

#include "engine/job/job.hpp"

#include <span>
#include <string>
#include <string_view>

namespace pd {

/// Reads a job. Each override is "section.key=value" (or "key=value"), where
/// the value is TOML, or text without its quotes. A relative path in the file
/// is one from the file's folder; in an override, from the current folder.
/// The job's paths are absolute.
///
/// Errors: io; bad_file if it is not TOML; unknown_name with the nearest key;
/// bad_value with wanted and got; not_supported. With "path:line: " or
/// "--set section.key: " in front.
[[nodiscard]] result<job> load_job(const std::string& path,
                                   std::span<const std::string> overrides = {});

/// The same from memory. `path` need not exist.
[[nodiscard]] result<job>
parse_job(std::string_view text, const std::string& path,
          std::span<const std::string> overrides = {});

/// The job as a file, with every key. parse_job reads it back equal.
[[nodiscard]] std::string print_job(const job& from);

} // namespace pd
