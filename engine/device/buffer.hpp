/// A counted handle to device memory.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace pd {

class pool;

/// Shares ownership of one allocation of a pool, which gets it back when the
/// last handle ends. The pool outlives its buffers.
///
/// Thread: handles may be copied and dropped on any thread.
class buffer {
public:
  buffer() = default;

  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  explicit operator bool() const { return memory_ != nullptr; }
  /// True if another handle to the same memory is alive. If not, what its
  /// owner did with the memory has happened before this returns.
  [[nodiscard]] bool is_shared() const {
    if (memory_.use_count() > 1)
      return true;
#ifdef __SANITIZE_THREAD__
    const auto counted = memory_; // TSan knows no fence; counting up acquires
#else
    std::atomic_thread_fence(std::memory_order_acquire);
#endif
    return false;
  }

private:
  friend class pool;
  buffer(std::shared_ptr<std::byte> memory, std::int64_t bytes)
    : memory_{std::move(memory)}, bytes_{bytes} {}

  std::shared_ptr<std::byte> memory_;
  std::int64_t bytes_ = 0;
};

} // namespace pd
