/// A profile cut into stages for a simulation, without the network behind it.
/// What a profile does not know is estimated: memory, and which gradients are
/// summed at once.

#pragma once

#include "engine/planner/profile.hpp"
#include "engine/planner/simulation.hpp"

#include <string>
#include <vector>

namespace pd {

/// Nodes up to and with `last`, from the stage before on.
struct profile_stage {
  int last = 0;
  int replicas = 1;
};

/// From a person's words:
///
///     "layer1:2,layer3,:4"  until a node, with replicas; no name: to the end
///     "4", "4x2"            so many stages of equal time, with replicas each
///
/// Errors: bad_value, unknown_name with the stage.
[[nodiscard]] result<std::vector<profile_stage>>
parse_stages(const profile& from, const std::string& text);

/// A profile's stages as virtual stages of one chunk a worker.
struct profile_cut {
  pipeline_shape shape;
  topology links;
  std::vector<stage_load> loads;
  std::vector<double> parameter_bytes; ///< by stage, as below
  std::vector<double> stash_bytes;     ///< of a minibatch in flight
};

/// What a loader brings ("Input" nodes of PipeDream's profiles) costs nothing
/// and crosses nothing. A bucket is of whole nodes, of `bucket_bytes` or more.
/// Errors: bad_value with the stage or the edge. @pre from.validate()
[[nodiscard]] result<profile_cut>
cut_profile(const profile& from, const std::vector<profile_stage>& stages,
            double bucket_bytes);

/// Weights in the versions that the row keeps, gradients, a moment, and what
/// is stashed of the microbatches in flight.
[[nodiscard]] double estimated_memory_bytes(const profile_cut& of, int stage,
                                            const row& cells,
                                            std::int64_t peak_in_flight);

} // namespace pd
