/// Checkpoints of five tensors.

#pragma once

#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/checkpoint/shard.hpp"
#include "tests/support/scratch_folder.hpp"

#include <string>
#include <vector>

namespace pd::test {

/// What a job of two writers would save. All numbers come from `position`, so
/// that two checkpoints differ.
class small_model {
public:
  explicit small_model(const checkpoint_position& position);

  /// The tensors of writer 0 (a convolution, its batch norm) and 1 (a linear).
  [[nodiscard]] std::vector<shard_tensor> tensors(int writer) const;

  /// Of writers that wrote these.
  [[nodiscard]] checkpoint_manifest
  manifest(const std::vector<written_shard>& shards) const;

  static constexpr int writers = 2;

private:
  checkpoint_position at_;
  std::vector<float> conv_, conv_moment_, mean_, linear_, linear_moment_;
  std::vector<float> bias_, bias_moment_;
  std::vector<std::int64_t> seen_;
};

/// Writes both shards into a folder.
[[nodiscard]] result<std::vector<written_shard>>
write_shards(const small_model& model, const std::string& folder);

/// Begins, writes, commits: the checkpoint's path.
[[nodiscard]] result<std::string> save(checkpoint_store& store,
                                       const checkpoint_position& at);

/// The same in a store of its own.
[[nodiscard]] result<std::string> save(const std::string& directory, int keep,
                                       const checkpoint_position& at);

} // namespace pd::test
