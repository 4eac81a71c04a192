/// Where a job's worker processes are on this machine's networks.

#pragma once

#include "engine/base/error.hpp"
#include "engine/planner/cluster.hpp"

#include <string>
#include <vector>

namespace pd {

struct worker_place {
  std::string listen = "127.0.0.1:0"; ///< host:port; port 0: any
  std::string network_namespace;      ///< empty: this process's
};

struct worker_places {
  std::vector<worker_place> workers; ///< by worker; none: all as by default
  std::string coordinator_host = "127.0.0.1"; ///< that they all reach
};

/// Of one worker of a cluster whose machines are namespaces of this one.
/// Errors: bad_value if it is not in one. @pre the cluster has it
[[nodiscard]] result<worker_place> place_of(const cluster& on, int worker);

/// The first `workers` of a cluster whose machines are namespaces of this one.
/// Errors: bad_value if it has too few, or one is not in a namespace.
[[nodiscard]] result<worker_places>
places_in(const cluster& on, const std::string& coordinator_host, int workers);

/// What starts `command` there. The words' first must be a path.
[[nodiscard]] std::vector<std::string>
command_at(const worker_place& at, const std::vector<std::string>& command);

} // namespace pd
