/// Measures the links that workers have: of this machine, or of namespaces of
/// it that stand for machines (tools/netlab).

#pragma once

#include "engine/comm/link_timing.hpp"
#include "engine/planner/cluster.hpp"

#include <string>
#include <vector>

namespace pd {

struct probed_link {
  std::string transport; ///< "gloo": between processes; "local": threads
  measured_link figures;
};

/// Between two processes over Gloo, and two threads. Forks.
/// @pre this process has one thread
/// Errors: of the transfers; io if the other process cannot start.
[[nodiscard]] result<std::vector<probed_link>> probe_links();

/// A level of a cluster: between worker 0 and the first one of the next group.
struct probed_level {
  int level = 0; ///< index in [network]
  int to_worker = 0;
  measured_link figures;
};

/// Between two processes over Gloo for each level, in their namespaces, in
/// messages that take about 10 ms by what the cluster says of the level; levels
/// of one machine are left out. Gives up after a minute for each. Forks.
/// @pre this process has one thread, and on.validate()
/// Errors: bad_value if a worker is in no namespace; io if it cannot be
/// entered; as above.
[[nodiscard]] result<std::vector<probed_level>> probe_levels(const cluster& on);

} // namespace pd
