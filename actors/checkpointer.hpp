/// Writes a worker's shard of each checkpoint: the worker waits while it copies
/// the weights, and goes on while it writes them.
///
/// A shard that cannot be written is no fault: the coordinator hears why.

#pragma once

#include "actors/handles.hpp"
#include "actors/status_board.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_snapshot.hpp"

#include <memory>

namespace pd {

/// The parts outlive the actor.
struct checkpointer_options {
  const worker_parts* of = nullptr;
  coordinator_actor to;
  status_place* shown = nullptr;
};

/// Spawn detached: with shell<checkpointer, checkpointer_actor>.
class checkpointer {
public:
  static inline const char* name = "checkpointer";

  checkpointer(checkpointer_actor::pointer self, checkpointer_options options);

  checkpointer_actor::behavior_type make_behavior();

private:
  void store(const store_shard& order);

  checkpointer_actor::pointer self_;
  checkpointer_options is_;
  worker_snapshot copied_;
  std::unique_ptr<device> alone_; ///< computes on this thread alone
  std::unique_ptr<stream> work_;
};

} // namespace pd
