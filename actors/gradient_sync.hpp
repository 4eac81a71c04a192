/// Sums the gradients of a stage's replicas, one actor beside each replica.
///
///     stage ── bucket_ready ──▶ gradient_sync ◀── bytes ──▶ the other
///     replicas' stage ◀─ round_reduced ──
///
/// The stage hands over a bucket as soon as its backward has made it whole, so
/// buckets are summed while it goes on with the layers before them (PyTorch's
/// DistributedDataParallel, arXiv 2006.15704, section 3.2). Replicas run rows
/// of one form, so all sum the same buckets in the same order; and a sum adds
/// replica 0 first, so the bits do not depend on who is first.

#pragma once

#include "actors/handles.hpp"
#include "actors/status_board.hpp"
#include "engine/comm/communicator.hpp"
#include "engine/train/deployment.hpp"

#include <memory>
#include <vector>

namespace pd {

/// group: of the stage's replicas, by replica. The chunks' programs outlive
/// the actor.
struct gradient_sync_options {
  int worker = 0;
  std::vector<row_runner::chunk_parts> chunks;
  std::shared_ptr<communicator> group;
  stage_actor to;
  worker_actor of;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<gradient_sync, gradient_sync_actor>. Its handlers
/// wait for the other replicas; closing the group ends every wait. Ends with
/// the error of a sum.
class gradient_sync {
public:
  static inline const char* name = "gradient_sync";

  gradient_sync(gradient_sync_actor::pointer self,
                gradient_sync_options options);

  gradient_sync_actor::behavior_type make_behavior();

private:
  void reduce(const bucket_ready& what);
  void align(const align_statistics& order);
  void align_chunk(stage_program& program);

  gradient_sync_actor::pointer self_;
  gradient_sync_options is_;
};

} // namespace pd
