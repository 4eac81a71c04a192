/// Files that could not be read: each is told once, and too many are an error.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace pd {

/// Thread: any, any number at once.
class broken_files {
public:
  explicit broken_files(std::int64_t most) : most_{most} {}

  /// Logs a file with a warning if it is new.
  /// Errors: bad_file if there are more than `most` now.
  result<void> add(const std::string& path, const error& why);

  /// The paths that this has not given yet.
  std::vector<std::string> take_news();

private:
  std::int64_t most_;
  std::mutex mutex_;
  std::set<std::string> paths_;
  std::vector<std::string> news_;
};

/// Of a set, or of all that a job reads.
[[nodiscard]] error too_many_broken(std::int64_t count, std::int64_t most,
                                    const std::string& last);

} // namespace pd
