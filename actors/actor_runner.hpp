/// A deployment on actors: the workers are threads of this process, or
/// processes of this machine.
///
/// Thread: its owner's, which blocks in run(); everything else happens on the
/// actors' threads.

#pragma once

#include "actors/worker_places.hpp"
#include "engine/data/dataset.hpp"
#include "engine/train/pipeline_runner.hpp"
#include "engine/train/session.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// The path of this process's program.
[[nodiscard]] std::string own_program();

struct actor_runner_options {
  /// What starts a worker's process: see run_worker_process.
  std::vector<std::string> worker_command{own_program(), "worker"};
  worker_places places = {}; ///< of processes
  /// Once it is set, make() gives up; null: it never is. Outlives make().
  const std::atomic<bool>* stop = nullptr;
};

class actor_runner final : public pipeline_runner {
public:
  /// Starts and deploys all workers, as the job's run.workers says. The
  /// datasets may be null if no pass uses them.
  /// @pre `ops` and the datasets outlive this
  /// Errors: of the workers, the first of them with its name; interrupted.
  [[nodiscard]] static result<std::unique_ptr<pipeline_runner>>
  make(std::shared_ptr<const deployment> of, const registry& ops,
       const dataset* training, const dataset* evaluation);

  /// make() with other options than the default.
  [[nodiscard]] static runner_maker with(actor_runner_options options);

  /// Ends all actors by order, and waits for them.
  ~actor_runner() override;

  result<void> run(const data_pass& what, const pass_calls& calls,
                   const std::atomic<bool>& stop) override;
  result<std::vector<named_tensor>> weights() override;
  result<void> save(const checkpoint_position& at) override;
  result<void> finish_saving() override;
  result<std::vector<worker_trace>> trace() override;
  void log_to(const std::string& directory) override;
  [[nodiscard]] std::vector<double> busy_shares() const override;
  [[nodiscard]] double data_stall_s() const override;
  [[nodiscard]] std::string describe() const override;

private:
  struct parts;

  explicit actor_runner(std::unique_ptr<parts> made);

  std::unique_ptr<parts> is_;
};

} // namespace pd
