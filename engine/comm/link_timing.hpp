/// What a link between two ranks can do, by measurement.

#pragma once

#include "engine/comm/communicator.hpp"

namespace pd {

struct measured_link {
  double latency_s = 0; ///< one way of some bytes: half a round trip, median
  double bandwidth_bytes_per_s = 0; ///< a row of large messages one way
};

struct link_timing_options {
  std::int64_t round_trips = 500;
  std::int64_t message_bytes = 4 << 20;
  int messages = 16; ///< of a row
  int rows = 5;      ///< the median of which counts
};

/// Both ranks of a group of two call it with the same options; rank 0 gets the
/// figures, rank 1 zeros. Errors: of the transfers.
[[nodiscard]] result<measured_link>
time_link(communicator& group, const link_timing_options& options = {});

} // namespace pd
