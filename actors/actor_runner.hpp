/// A deployment on actors: the workers are threads of this process.
///
/// Thread: its owner's, which blocks in run(); everything else happens on the
/// actors' threads.

#pragma once

#include "engine/data/dataset.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/pipeline_runner.hpp"

#include <memory>

namespace pd {

class actor_runner final : public pipeline_runner {
public:
  /// Makes all workers and spawns their actors. The datasets may be null if no
  /// pass uses them.
  /// @pre `ops` and the datasets outlive this
  /// Errors: of make_worker.
  [[nodiscard]] static result<std::unique_ptr<pipeline_runner>>
  make(std::shared_ptr<const deployment> of, const registry& ops,
       const dataset* training, const dataset* evaluation);

  /// Ends all actors by order, and waits for them.
  ~actor_runner() override;

  result<void> run(const data_pass& what, const pass_calls& calls,
                   const std::atomic<bool>& stop) override;
  result<std::vector<named_tensor>> weights() override;
  [[nodiscard]] double data_stall_s() const override;
  [[nodiscard]] std::string describe() const override;

private:
  struct parts;

  explicit actor_runner(std::unique_ptr<parts> made);

  std::unique_ptr<parts> is_;
};

} // namespace pd
