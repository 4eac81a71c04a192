/// What crosses from one worker to another, and in which order: what a link
/// between two processes has to carry.

#pragma once

#include "engine/program/stage_plan.hpp"
#include "engine/train/deployment.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace pd {

enum class cargo : std::uint8_t {
  activation,
  gradient,
  acknowledgement ///< a gradient without values
};

/// "activation", ...
[[nodiscard]] const char* to_string(cargo what);

/// The messages of one kind from a virtual stage to another, between the two
/// workers that hold them.
struct stage_edge {
  cargo what = cargo::activation;
  int from = 0; ///< virtual stages
  int to = 0;
  int from_worker = 0;
  int to_worker = 0;
  bool operator==(const stage_edge&) const = default;

  /// One for each kind and pair of stages; the ranks tell the workers apart.
  [[nodiscard]] std::uint64_t tag() const;
};

/// "the activations of stage 0 at worker 1".
[[nodiscard]] std::string to_string(const stage_edge& which);

/// The edges that end at a worker and come from another, in a fixed order.
[[nodiscard]] std::vector<stage_edge> edges_into(const deployment& all,
                                                 int worker);

/// True if something goes from one worker to the other.
[[nodiscard]] bool has_edge(const deployment& all, int from_worker,
                            int to_worker);

/// The microbatches that an edge carries in a pass, in the order in which its
/// sender's row makes them.
[[nodiscard]] std::vector<std::int64_t>
order_on(const stage_edge& which, const deployment& all, const timetable& pass);

/// The types of the values of one message, from the plan of the receiving
/// chunk. Empty for acknowledgements.
[[nodiscard]] std::vector<tensor_type> types_on(const stage_edge& which,
                                                const deployment& all,
                                                const stage_plan& receiver);

/// True if nothing but the news of it goes along the edge between two stages:
/// its gradients are acknowledgements then.
[[nodiscard]] bool is_bare(const deployment& all, int from, int to);

/// How many messages of an edge its receiver has room for: what may be sent
/// and not yet be through there, and one that is on its way.
[[nodiscard]] int slots_on(const stage_edge& which, const deployment& all);

/// Bytes of the slots of all edges into a worker, whose chunks have `plans`.
[[nodiscard]] std::int64_t slot_bytes(const deployment& all, int worker,
                                      const std::vector<stage_plan>& plans);

} // namespace pd
