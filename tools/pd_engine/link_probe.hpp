/// Measures the links that workers of this machine have.

#pragma once

#include "engine/comm/link_timing.hpp"

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

} // namespace pd
