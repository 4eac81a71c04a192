/// What `pd-engine simulate` simulates: a job by its profile, or a profile cut
/// into stages, on a cluster or with free links.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/planner/profile_cut.hpp"
#include "engine/planner/simulation.hpp"
#include "tools/pd_engine/commands.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pd {

/// Values of --reduction.
inline const std::map<std::string, reduction_kind> reductions{
  {"engine", reduction_kind::engine},
  {"exchange", reduction_kind::exchange},
  {"chain", reduction_kind::chain},
  {"ring", reduction_kind::ring}};

/// As a person gives them; texts that are empty were not given.
struct simulate_arguments {
  job_arguments which;
  std::string profile; ///< of a job
  std::string stages;  ///< of a profile
  std::string schedule = "pipedream";
  std::string depth;
  std::string machines, bandwidth, latency, cluster;
  std::string reduction = "engine";
  std::string trace, svg;
  std::int64_t round = 1;
  std::int64_t microbatches = 0;
  double bucket_bytes = double{8} * (1 << 20);
  bool is_json = false;
};

/// A timetable with all that its simulation wants.
struct simulated_job {
  std::string name;
  std::shared_ptr<const timetable> rows;
  topology links;
  std::vector<stage_load> loads;
  std::int64_t epoch_microbatches = 0; ///< 0: not known
  std::int64_t pass_microbatches = 0;  ///< until the pipeline drains
  /// By stage; empty: to be estimated from `cut`.
  std::vector<double> memory_bytes;
  std::optional<profile_cut> cut;
};

/// Equal workers, a cluster file's, or free links.
/// Errors: bad_value with the option; of load_cluster.
[[nodiscard]] result<fabric> find_fabric(const simulate_arguments& given);

/// Reads, cuts and makes the timetable. Errors: bad_value if it is neither a
/// job with a profile nor a profile with stages; of all that is read.
[[nodiscard]] result<simulated_job>
open_simulated(const simulate_arguments& given, const registry& ops);

} // namespace pd
