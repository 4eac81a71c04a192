/// Counts the heap allocations of the whole process, on every thread, those
/// of libraries included.

#pragma once

#include <cstdint>

namespace pd {

/// Calls of malloc and its kin, operator new among them, since the start.
/// Under a sanitizer its allocator tells; else malloc itself is replaced.
[[nodiscard]] std::int64_t allocations();

/// How many while it lives.
class allocation_counter {
public:
  allocation_counter() : start_{allocations()} {}
  [[nodiscard]] std::int64_t count() const { return allocations() - start_; }

private:
  std::int64_t start_;
};

} // namespace pd
