#include "engine/device/pool.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <limits>
#include <mutex>

namespace pd {

struct pool::ledger {
  std::shared_ptr<memory_source> source;
  std::int64_t budget = 0;
  mutable std::mutex guard;
  std::int64_t in_use = 0;
  std::int64_t peak = 0;
  std::int64_t allocations = 0;

  /// Returns false, and takes nothing, if the budget does not allow it.
  bool take(std::int64_t bytes) {
    const std::scoped_lock lock{guard};
    if (bytes > budget - in_use)
      return false;
    in_use += bytes;
    peak = std::max(peak, in_use);
    ++allocations;
    return true;
  }

  void give(std::int64_t bytes) {
    const std::scoped_lock lock{guard};
    in_use -= bytes;
  }
};

pool::pool(std::shared_ptr<memory_source> source, std::int64_t budget_bytes)
  : ledger_{std::make_shared<ledger>()} {
  ledger_->source = std::move(source);
  ledger_->budget =
    budget_bytes > 0 ? budget_bytes : std::numeric_limits<std::int64_t>::max();
}

result<buffer> pool::allocate(std::int64_t bytes) {
  if (bytes <= 0)
    return buffer{};
  if (!ledger_->take(bytes))
    return error{errc::out_of_memory, "wanted " + format_bytes(bytes) + ", "
                                        + format_bytes(in_use_bytes()) + " of "
                                        + format_bytes(ledger_->budget)
                                        + " are in use"};
  auto* memory = ledger_->source->acquire(bytes);
  if (memory == nullptr) {
    ledger_->give(bytes);
    return error{errc::out_of_memory,
                 "wanted " + format_bytes(bytes) + ", the device has no more"};
  }
  const auto give_back = [owner = ledger_, bytes](std::byte* p) {
    owner->source->release(p, bytes);
    owner->give(bytes);
  };
  return buffer{std::shared_ptr<std::byte>{memory, give_back}, bytes};
}

std::int64_t pool::in_use_bytes() const {
  const std::scoped_lock lock{ledger_->guard};
  return ledger_->in_use;
}

std::int64_t pool::peak_bytes() const {
  const std::scoped_lock lock{ledger_->guard};
  return ledger_->peak;
}

std::int64_t pool::allocations() const {
  const std::scoped_lock lock{ledger_->guard};
  return ledger_->allocations;
}

std::int64_t pool::budget_bytes() const {
  return ledger_->budget;
}

} // namespace pd
