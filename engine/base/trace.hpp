/// A ring of spans: what a thread did lately, always on, never allocating.
///
/// One ring has one writer. Readers take a snapshot at any time; a span that
/// is overwritten while it is read is left out.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pd {

/// Something that took time. `name` must outlive the ring.
struct span_record {
  const char* name = "";
  std::int64_t index = 0; ///< the microbatch, or what the name counts
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};

/// Thread: add() from one thread only; snapshot() from any.
class trace_ring {
public:
  /// Keeps the newest `capacity` spans.
  explicit trace_ring(std::size_t capacity = 4096);

  void add(const span_record& span);

  /// The spans that are still kept, oldest first.
  [[nodiscard]] std::vector<span_record> snapshot() const;

private:
  struct cell {
    std::atomic<std::uint64_t> sequence{0}; ///< odd while being written
    std::atomic<const char*> name{""};
    std::atomic<std::int64_t> index{0}, begin_us{0}, end_us{0};
  };

  std::vector<cell> cells_;
  std::atomic<std::uint64_t> added_{0};
};

} // namespace pd
