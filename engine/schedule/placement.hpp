/// Who runs what: stages, their replicas, and the chunks of a worker.
///
///     replicas 1 3 1:   worker 0      stage 0
///                       workers 1-3   stage 1, replicas 0-2
///                       worker 4      stage 2
///
/// Invariants:
///
/// (1) Workers are numbered by stage, then by replica.
///
/// (2) Chunk c of a worker of stage s is virtual stage c * S + s, so data goes
///     round the workers once for each chunk. With one chunk a virtual stage
///     is the stage.
///
/// (3) Microbatch k runs on replica k mod R of a stage of R replicas; it is
///     that replica's microbatch number k / R, its local one.

#pragma once

#include "engine/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pd {

struct pipeline_shape {
  std::vector<int> replicas; ///< by stage
  int chunks = 1;            ///< a worker
  bool operator==(const pipeline_shape&) const = default;
};

/// "1-3-1", "1-1 of 2 chunks".
[[nodiscard]] std::string to_string(const pipeline_shape& shape);

/// Errors: bad_value if there is no stage, a count is not in 1 to 4096, or the
/// chunks are several and the replicas of two stages differ.
[[nodiscard]] result<void> check(const pipeline_shape& shape);

/// A shape's numbers, looked up. @pre check(shape).
class placement {
public:
  explicit placement(const pipeline_shape& shape);

  [[nodiscard]] int stages() const { return static_cast<int>(first_.size()); }
  [[nodiscard]] int workers() const { return static_cast<int>(stage_.size()); }
  [[nodiscard]] int virtual_stages() const { return chunks_ * stages(); }

  [[nodiscard]] int replicas(int stage) const { return replicas_[at(stage)]; }
  [[nodiscard]] int stage_of(int worker) const { return stage_[at(worker)]; }
  [[nodiscard]] int replica_of(int worker) const {
    return worker - first_[at(stage_of(worker))];
  }
  [[nodiscard]] int worker_at(int stage, int replica) const {
    return first_[at(stage)] + replica;
  }
  [[nodiscard]] int worker_of(int stage, std::int64_t microbatch) const {
    return worker_at(stage, static_cast<int>(microbatch % replicas(stage)));
  }

  /// "worker 1 (stage 0, replica 1)".
  [[nodiscard]] std::string describe(int worker) const;

  [[nodiscard]] int virtual_stage(int stage, int chunk) const {
    return chunk * stages() + stage;
  }
  [[nodiscard]] int stage_of_virtual(int virtual_stage) const {
    return virtual_stage % stages();
  }
  [[nodiscard]] int chunk_of_virtual(int virtual_stage) const {
    return virtual_stage / stages();
  }

private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  int chunks_;
  std::vector<int> replicas_, first_; ///< by stage
  std::vector<int> stage_;            ///< by worker
};

} // namespace pd
