/// Sums the gradients of a stage's replicas, one actor beside each replica.
///
///     round_summed ─▶ part_ready to all ─▶ sums its segment into all parts
///                  ─▶ segment_reduced to all ─▶ round_reduced to its stage
///
/// Each actor sums the R-th part of the elements, in the order of the replicas
/// (engine/program/replica_sum.hpp), so the bits do not depend on who is first.

#pragma once

#include "actors/handles.hpp"
#include "actors/stage.hpp"

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace pd {

/// syncs: of the stage's replicas, by replica; read after the first message.
struct gradient_sync_options {
  std::shared_ptr<const deployment> all;
  int worker = 0;
  std::vector<row_runner::chunk_parts> chunks;
  std::shared_ptr<const std::vector<gradient_sync_actor>> syncs;
  std::shared_ptr<const stage_peers> peers;
};

/// Spawn detached: with shell<gradient_sync, gradient_sync_actor>.
class gradient_sync {
public:
  static inline const char* name = "gradient_sync";

  gradient_sync(gradient_sync_actor::pointer self,
                gradient_sync_options options);

  gradient_sync_actor::behavior_type make_behavior();

private:
  using round_key = std::pair<int, std::int64_t>; // chunk, round

  struct round_state {
    std::vector<float*> parts; ///< by replica; null: not here yet
    int parts_here = 0;
    int segments_done = 0;
  };

  template <class Message>
  void tell_all(const Message& what);
  void add_part(const part_ready& part);
  void add_segment(const segment_reduced& done);

  gradient_sync_actor::pointer self_;
  gradient_sync_options is_;
  int replica_, replicas_;
  std::map<round_key, round_state> rounds_;
};

} // namespace pd
