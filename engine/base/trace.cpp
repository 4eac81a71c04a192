#include "engine/base/trace.hpp"

#include <algorithm>

namespace pd {

trace_ring::trace_ring(std::size_t capacity)
  : cells_(std::max<std::size_t>(capacity, 1)) {}

// A sequence lock without fences, which TSan does not know: who sees one field
// of a new span (acquire) sees its odd sequence too (before the release).

void trace_ring::add(const span_record& span) {
  const auto ticket = added_.load(std::memory_order_relaxed);
  auto& at = cells_[ticket % cells_.size()];
  at.sequence.store(2 * ticket + 1, std::memory_order_relaxed);
  at.name.store(span.name, std::memory_order_release);
  at.index.store(span.index, std::memory_order_release);
  at.begin_us.store(span.begin_us, std::memory_order_release);
  at.end_us.store(span.end_us, std::memory_order_release);
  at.sequence.store(2 * ticket + 2, std::memory_order_release);
  added_.store(ticket + 1, std::memory_order_release);
}

std::vector<span_record> trace_ring::snapshot() const {
  const auto last = added_.load(std::memory_order_acquire);
  const auto kept = std::min<std::uint64_t>(last, cells_.size());
  std::vector<span_record> spans;
  spans.reserve(kept);
  for (auto ticket = last - kept; ticket < last; ++ticket) {
    const auto& at = cells_[ticket % cells_.size()];
    const auto wanted = 2 * ticket + 2;
    if (at.sequence.load(std::memory_order_acquire) != wanted)
      continue;
    const span_record span{at.name.load(std::memory_order_acquire),
                           at.index.load(std::memory_order_acquire),
                           at.begin_us.load(std::memory_order_acquire),
                           at.end_us.load(std::memory_order_acquire)};
    if (at.sequence.load(std::memory_order_relaxed) == wanted)
      spans.push_back(span);
  }
  return spans;
}

} // namespace pd
