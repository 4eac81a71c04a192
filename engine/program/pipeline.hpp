/// A network cut into virtual stages, each ready to be planned, and the edges
/// between them.
///
///     stage u   departures ── activation ──▶   arrivals   stage v
///               departures ◀── gradient ──     arrivals
///
/// Invariants:
///
/// (1) What goes from stage u to stage v for one microbatch goes in one
///     message: u's departures to v, in their order, are v's arrivals from u,
///     in theirs. The gradients come back in the same order.
///
/// (2) Nodes and parameters keep the names that they have in the whole network,
///     so no two stages share a parameter.
///
/// (3) A departure has one receiver. A value that several stages take leaves
///     through a node "identity" for each of them but the last, so the stage
///     itself sums their gradients.

#pragma once

#include "engine/graph/cut.hpp"
#include "engine/schedule/topology.hpp"

#include <string>
#include <vector>

namespace pd {

/// A value that crosses a cut, at one of its two ends.
struct crossing {
  int node = 0;     ///< index in the stage
  int peer = 0;     ///< the virtual stage at the other end
  int producer = 0; ///< index in the whole network: what orders them
};

struct pipeline_stage {
  typed_graph net; ///< fused, with loader and other stages as sources
  std::vector<crossing> arrivals;
  std::vector<crossing> departures;
};

/// The end of each stage, as an index behind its last node: `until` names the
/// last node of a stage, or the last block ("layer2" for all "layer2.*"). The
/// last entry may be empty: the end of the network.
/// Errors: bad_value that names the stage; unknown_name with the nearest name.
[[nodiscard]] result<std::vector<int>>
stage_ends(const graph& whole, const std::vector<std::string>& until);

/// Cuts at `ends` (stage_ends), fuses and infers each stage.
///
/// Errors: bad_value if a stage would be empty; those of cut() and infer().
[[nodiscard]] result<std::vector<pipeline_stage>>
cut_pipeline(const graph& whole, const registry& ops, std::int64_t samples,
             const std::vector<int>& ends);

/// Who sends to whom, neighbours among them.
/// Errors: bad_value if a stage has too many edges.
[[nodiscard]] result<topology>
links_of(const std::vector<pipeline_stage>& stages,
         const pipeline_shape& shape);

} // namespace pd
