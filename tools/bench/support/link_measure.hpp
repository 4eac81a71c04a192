/// Latency and throughput of a link_end, time of a sum. Both sides run the same
/// plan; side 0 measures. What arrives is checked, apart from the time.

#pragma once

#include "tools/bench/support/link_ends.hpp"

#include <cstdint>
#include <vector>

namespace pd {

/// One size over one transport.
struct link_figures {
  std::int64_t bytes = 0;
  double latency_us = 0; ///< one way: half a round trip, the median
  double gb_per_s = 0;   ///< a row of messages one way
};

/// One size of a sum.
struct sum_figures {
  std::int64_t bytes = 0;
  double seconds = 0;            ///< the median
  double algorithm_gb_per_s = 0; ///< bytes / seconds
  double bus_gb_per_s = 0;       ///< times 2 (R - 1) / R
};

/// Powers of four from 4 B to 256 MiB, or a few of them.
[[nodiscard]] std::vector<std::int64_t> link_sizes(bool is_quick);

/// Side 0's figures; side 1 gets none. Throws if other bytes arrive.
std::vector<link_figures> measure_link(link_end& end, int side,
                                       const std::vector<std::int64_t>& sizes);

[[nodiscard]] std::vector<link_figures>
measure_memcpy(const std::vector<std::int64_t>& sizes);

std::vector<sum_figures> measure_sums(communicator& group,
                                      const std::vector<std::int64_t>& sizes);

} // namespace pd
