/// A deployment on the oracle: everything on the calling thread.

#pragma once

#include "engine/checkpoint/checkpoint_store.hpp"
#include "engine/data/prefetch.hpp"
#include "engine/program/oracle.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/pipeline_runner.hpp"
#include "engine/train/worker_parts.hpp"
#include "engine/train/worker_snapshot.hpp"

#include <memory>
#include <optional>

namespace pd {

class oracle_runner final : public pipeline_runner {
public:
  /// Makes all workers. The datasets may be null if no pass uses them.
  /// @pre `of`, `ops` and the datasets outlive this
  /// Errors: of make_worker.
  [[nodiscard]] static result<std::unique_ptr<oracle_runner>>
  make(const deployment& of, const registry& ops, const dataset* training,
       const dataset* evaluation);
  ~oracle_runner() override;

  result<void> run(const data_pass& what, const pass_calls& calls,
                   const std::atomic<bool>& stop) override;
  result<std::vector<named_tensor>> weights() override;
  result<void> save(const checkpoint_position& at) override;
  result<void> finish_saving() override { return {}; }
  [[nodiscard]] double data_stall_s() const override { return stall_s_; }
  [[nodiscard]] std::string describe() const override;

private:
  [[nodiscard]] result<std::string> write(const checkpoint_position& at);
  explicit oracle_runner(const deployment& of) : of_{of} {}
  [[nodiscard]] result<loaded_batch> load(prefetch& from, std::int64_t begin,
                                          std::int64_t microbatch);
  [[nodiscard]] result<loaded_batch> bring(const prefetched_batch& from);
  [[nodiscard]] result<tensor> free_tensor(const tensor_type& type);

  const deployment& of_;
  const dataset* training_ = nullptr;
  const dataset* evaluation_ = nullptr;
  std::vector<worker_parts> workers_;
  std::vector<tensor> batch_memory_;
  std::map<std::int64_t, loaded_batch> read_; ///< ahead of who asks for it
  std::unique_ptr<oracle> runs_;
  std::unique_ptr<checkpoint_store> store_;
  std::vector<worker_snapshot> snapshots_; ///< by stage
  double stall_s_ = 0;
};

/// The order of the samples of an epoch, or of an evaluation.
/// Errors: of sampler::make.
[[nodiscard]] result<sampler> order_of(const deployment& of, bool is_training);

} // namespace pd
