/// A counted handle to device memory.

#pragma once

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
  /// True if another handle to the same memory is alive.
  [[nodiscard]] bool is_shared() const { return memory_.use_count() > 1; }

private:
  friend class pool;
  buffer(std::shared_ptr<std::byte> memory, std::int64_t bytes)
    : memory_{std::move(memory)}, bytes_{bytes} {}

  std::shared_ptr<std::byte> memory_;
  std::int64_t bytes_ = 0;
};

} // namespace pd
