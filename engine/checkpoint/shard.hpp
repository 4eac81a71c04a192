/// One writer's part of a checkpoint: a safetensors file that holds its
/// tensors and, beside each parameter, the moments of the optimizer.

#pragma once

#include "engine/base/error.hpp"
#include "engine/checkpoint/manifest.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

/// A tensor as its writer gives it. Views: what they see must outlive it.
struct shard_tensor {
  std::string name;
  shape extents;
  tensor_kind kind = tensor_kind::parameter;
  std::int64_t updates = 0;
  std::span<const float> values;               ///< of no counter
  std::span<const std::int64_t> counts;        ///< of a counter only
  std::vector<std::span<const float>> moments; ///< of a parameter only
};

/// What the manifest must say of a shard.
struct written_shard {
  checkpoint_shard file;
  std::vector<checkpoint_tensor> tensors; ///< in the order they were given
};

/// Writes shard `shard` of `shards` into a checkpoint that is being written
/// (checkpoint_store::begin) and syncs it. The tensors are hashed as they are
/// written, and nothing is copied. The file must not be there; after an error
/// it is not.
///
/// Errors: io, with the file and the system's reason; bad_value if a tensor's
/// sizes do not fit its shape, or its name is not fit.
/// Thread: any; any process that sees the folder.
[[nodiscard]] result<written_shard>
write_shard(const std::string& folder, int shard, int shards,
            std::span<const shard_tensor> tensors);

} // namespace pd
