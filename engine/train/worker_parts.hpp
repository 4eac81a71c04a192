/// One worker of a deployment, made: its device, programs, weights and
/// optimizers.

#pragma once

#include "engine/program/optimizer.hpp"
#include "engine/program/row_runner.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/weights.hpp"

#include <memory>
#include <vector>

namespace pd {

/// A worker's chunks with their memory and weights. The parts go in the
/// reverse order.
struct worker_parts {
  std::unique_ptr<device> on;
  std::vector<std::unique_ptr<stage_program>> programs; ///< by chunk
  std::vector<std::unique_ptr<optimizer>> updates;      ///< empty if epochs = 0
  std::vector<std::vector<gradient_bucket>> buckets;    ///< by chunk

  /// As a row_runner takes them: spans and pointers into this. @pre `all` is
  /// what they were made from
  [[nodiscard]] std::vector<row_runner::chunk_parts>
  chunks(const deployment& all, int worker) const;
};

/// Gives all replicas of a stage the batch norm statistics of its replica 0:
/// before an evaluation, so that it is one of the weights that are saved.
/// @pre between two passes
void share_statistics(const deployment& all,
                      std::vector<worker_parts>& workers);

/// All parameters and statistics, of replica 0 of each stage.
/// @pre between two passes
[[nodiscard]] std::vector<named_tensor>
weights_of_workers(const deployment& all,
                   const std::vector<worker_parts>& workers);

/// Opens the device, takes the memory, sets or loads the weights.
/// Errors: out_of_memory; of the weights file.
[[nodiscard]] result<worker_parts> make_worker(const deployment& all,
                                               int worker, const registry& ops);

} // namespace pd
