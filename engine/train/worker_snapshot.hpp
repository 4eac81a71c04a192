/// A worker's weights, moments and statistics as they were between two passes,
/// and the shard of a checkpoint that they make.
///
///     copy()  the worker waits    flat arrays, as they lie in memory
///     write() it goes on          PyTorch's layout, tensor by tensor, in place

#pragma once

#include "engine/checkpoint/shard.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/worker_parts.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

/// Owns: host memory for one copy, all of it since the constructor.
/// Keeps a reference to the parts.
class worker_snapshot {
public:
  explicit worker_snapshot(const worker_parts& of);

  /// @pre between two passes. Thread: any that the worker's waits for.
  void copy();

  /// Writes what was copied, once for each copy().
  /// Thread: any, beside what the worker does.
  /// Errors: of write_shard.
  [[nodiscard]] result<written_shard> write(const std::string& folder,
                                            int shard, int shards);

  /// Host memory of a worker's copy, with so many moments.
  [[nodiscard]] static std::int64_t bytes_for(const stage_plan& plan,
                                              int moments);

private:
  /// One chunk's.
  struct chunk_copy {
    std::vector<std::vector<float>> arrays; ///< weights, then each moment
    std::vector<std::byte> statistics;
    std::vector<std::int64_t> counters;
    std::int64_t updates = 0;
  };

  void copy_chunk(std::size_t chunk);
  void add_tensors(std::size_t chunk, std::vector<shard_tensor>& to);
  [[nodiscard]] shard_tensor tensor_of(std::size_t chunk,
                                       const stored_parameter& which);

  const worker_parts& of_;
  std::vector<chunk_copy> chunks_;
};

/// What a parameter or statistic is in a checkpoint.
[[nodiscard]] tensor_kind kind_of(const parameter& rule);

/// Where a trainable one lies in a flat array of its stage.
[[nodiscard]] std::span<float> stored_in(float* array,
                                         const stored_parameter& which);

} // namespace pd
