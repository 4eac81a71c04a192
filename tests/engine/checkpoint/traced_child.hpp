/// A child process that is watched, and killed, from one system call to the
/// next: every moment at which a death can leave something on the disk.

#pragma once

#include <functional>
#include <optional>
#include <vector>

namespace pd::test {

/// What a child did.
struct traced_child {
  std::vector<long> calls; ///< numbers of its system calls, in their order
  bool has_ended = false;  ///< by itself, with success; else it was killed
};

/// Runs `work` in a child process and kills it by SIGKILL as it is about to
/// make its system call number `killed_at` (from 0), if it makes so many.
/// Nothing if this system lets nobody trace.
[[nodiscard]] std::optional<traced_child>
run_traced(std::size_t killed_at, const std::function<void()>& work);

/// From here on this process has no renameat2, as on a file system that cannot
/// exchange two names. It cannot be undone: for a child.
void forbid_exchange();

} // namespace pd::test
