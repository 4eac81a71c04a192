/// Checkpoints of a job: who writes them, and how a run goes on from one.

#pragma once

#include "engine/checkpoint/checkpoint.hpp"
#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/worker_parts.hpp"

#include <memory>

namespace pd {

/// The first worker of a stage writes its shard: its replicas have the same.
[[nodiscard]] bool writes_shard(const deployment& all, int worker);

/// The store of the job's checkpoints; null if none are made.
/// Errors: io; bad_value if the folder holds checkpoints of which this run goes
/// not on: it would remove them.
[[nodiscard]] result<std::unique_ptr<checkpoint_store>>
open_checkpoints(const deployment& of);

/// What the manifest says beside shards, moments and tensors.
[[nodiscard]] checkpoint_manifest
describe_checkpoint(const deployment& all, const checkpoint_position& at);

/// Makes a deployment go on from a checkpoint, whatever the cut, the replicas
/// and the schedule that it was made with.
/// Errors: bad_value if it is not one of this job: parameters of other names or
/// shapes; if it trains, also another optimizer or seed, a position beyond its
/// epochs, and within an epoch other data, or a position within a microbatch
/// or with no round behind it.
[[nodiscard]] result<void> resume(deployment& to, const checkpoint& from,
                                  const registry& ops);

/// Gives a worker its share of a checkpoint, whatever the shards it was written
/// in. Errors: of checkpoint.
[[nodiscard]] result<void> restore(worker_parts& to, const deployment& all,
                                   int worker, const checkpoint& from);

} // namespace pd
