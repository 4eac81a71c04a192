/// Reads cluster files, configs/*.toml (docs/planning-reference.md has their
/// keys).
///
///     [[worker]]                        one for each, group by group
///     address = "10.0.0.1:7400"
///     device = "cuda:0"
///     namespace = "pd0"                 of tools/netlab
///     speed = 1.0                       times the device of the profile
///     memory_bytes = 16e9
///     [network]
///     machines = [4, 4]                 levels from the lowest up
///     bandwidth_bytes_per_s = [10e9, 1.25e9]
///     latency_s = [5e-6, 50e-6]
///     coordinator = "10.77.0.1"         where the workers reach it
///     [security]
///     tls = true

#pragma once

#include "engine/planner/cluster.hpp"

#include <string>
#include <string_view>

namespace pd {

struct cluster_security {
  bool tls = false;
  std::string ca; ///< paths, as they are written; empty: none
  std::string certificate;
  std::string key;
  bool operator==(const cluster_security&) const = default;
};

struct cluster_spec {
  cluster machines;
  std::string coordinator_host; ///< where the workers reach it; may be empty
  cluster_security security;
  bool operator==(const cluster_spec&) const = default;
};

/// Errors: io; bad_file if it is not TOML; unknown_name with the nearest key;
/// bad_value with wanted and got. With "path:line: " in front.
[[nodiscard]] result<cluster_spec> load_cluster(const std::string& path);

/// The same from memory. `path` need not exist.
[[nodiscard]] result<cluster_spec> parse_cluster(std::string_view text,
                                                 const std::string& path);

} // namespace pd
