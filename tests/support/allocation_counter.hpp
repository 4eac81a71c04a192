/// Counts the heap allocations of the whole process, on every thread, and
/// tells ours from those that oneDNN and OpenMP make inside.

#pragma once

#include <cstdint>

namespace pd {

struct allocation_counts {
  std::int64_t ours = 0;
  std::int64_t in_libraries = 0; ///< called from libdnnl or libgomp
};

/// Calls of malloc and its kin and of operator new, since the start. A test
/// program that asks gets both replaced.
[[nodiscard]] allocation_counts allocations();

/// False under a sanitizer, which has an allocator of its own: all counts are
/// zero then.
[[nodiscard]] bool counts_allocations();

/// How many while it lives.
class allocation_counter {
public:
  allocation_counter() : start_{allocations()} {}
  [[nodiscard]] allocation_counts count() const {
    const auto now = allocations();
    return {now.ours - start_.ours, now.in_libraries - start_.in_libraries};
  }

private:
  allocation_counts start_;
};

} // namespace pd
