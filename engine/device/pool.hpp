/// Memory of one device under a byte budget.

#pragma once

#include "engine/base/error.hpp"
#include "engine/device/buffer.hpp"

#include <cstdint>
#include <memory>

namespace pd {

/// Where a pool gets its memory: a device's own allocator.
class memory_source {
public:
  virtual ~memory_source() = default;
  /// Returns null if there is none. @pre bytes > 0
  [[nodiscard]] virtual std::byte* acquire(std::int64_t bytes) = 0;
  virtual void release(std::byte* memory, std::int64_t bytes) = 0;
};

/// Counts what is handed out against a budget.
///
/// Thread: any.
class pool {
public:
  /// budget_bytes: 0 means no budget but the device's own.
  explicit pool(std::shared_ptr<memory_source> source,
                std::int64_t budget_bytes = 0);

  /// Returns zeroed memory, aligned for any kernel.
  /// Errors: out_of_memory, with wanted, in use and budget; the pool is as it
  /// was.
  [[nodiscard]] result<buffer> allocate(std::int64_t bytes);

  [[nodiscard]] std::int64_t in_use_bytes() const;
  [[nodiscard]] std::int64_t peak_bytes() const;
  /// How often memory was taken so far.
  [[nodiscard]] std::int64_t allocations() const;
  [[nodiscard]] std::int64_t budget_bytes() const;

private:
  struct ledger;
  std::shared_ptr<ledger> ledger_; ///< shared with the buffers' deleters
};

} // namespace pd
