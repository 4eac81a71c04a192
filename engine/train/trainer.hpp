/// The loop of a job: epochs and evaluations on a pipeline_runner, and their
/// metrics.

#pragma once

#include "engine/train/deployment.hpp"
#include "engine/train/pipeline_runner.hpp"
#include "engine/train/rate_meter.hpp"
#include "engine/train/run_directory.hpp"

#include <atomic>
#include <functional>
#include <map>

namespace pd {

/// How far the run is, for a progress bar.
struct train_progress {
  std::int64_t samples_done = 0;
  std::int64_t samples_total = 0; ///< of all epochs, or of this evaluation
};

/// Called on the trainer's thread; an error ends the run.
struct train_observer {
  std::function<result<void>(const update_metrics&, const train_progress&)>
    on_update;
  std::function<void(const train_progress&)> on_evaluating;
  std::function<result<void>(const evaluation_metrics&)> on_evaluation;
  std::function<void(const saved_checkpoint&)> on_checkpoint = {};
};

/// What a run came to.
struct train_summary {
  double loss = 0;            ///< mean over the last epoch's updates
  double accuracy = 0;        ///< likewise, of the training samples
  std::int64_t samples = 0;   ///< trained on
  std::int64_t left_over = 0; ///< of an epoch: they fill no round
  double seconds = 0;         ///< of training, evaluations not counted
  double samples_per_s = 0;
  double data_stall_s = 0;        ///< that training waited for data
  std::int64_t broken_images = 0; ///< that were replaced
  double checkpoint_wait_s = 0;   ///< that it waited for copies of the weights
  std::int64_t checkpoints = 0;   ///< made
  std::int64_t failed_checkpoints = 0;
  bool has_evaluation = false;
  evaluation_metrics evaluation; ///< the last one
  bool was_interrupted = false;  ///< after whole rounds
};

class trainer {
public:
  /// @pre both outlive the trainer
  trainer(const deployment& of, pipeline_runner& on) : of_{of}, on_{on} {}

  /// Trains until the epochs are over or `stop` is set.
  /// Errors: of the runner; failed if the loss is no number; the observer's.
  [[nodiscard]] result<train_summary> run(const train_observer& observer,
                                          const std::atomic<bool>& stop);

private:
  /// Sums of microbatches' losses.
  struct loss_sum {
    double loss = 0;
    double correct = 0;
    double correct_top5 = 0;
    std::int64_t samples = 0;
    std::int64_t microbatches = 0;

    void add(const loss_figures& of);
  };

  [[nodiscard]] result<void> train_all(const train_observer& observer,
                                       const std::atomic<bool>& stop);
  [[nodiscard]] result<void> train_epoch(data_pass from,
                                         const train_observer& observer,
                                         const std::atomic<bool>& stop);
  [[nodiscard]] result<void> run_pass(const data_pass& what,
                                      const pass_calls& calls,
                                      const std::atomic<bool>& stop);
  [[nodiscard]] result<void> train_pass(const data_pass& what,
                                        const train_observer& observer,
                                        const std::atomic<bool>& stop);
  [[nodiscard]] result<void> save(const data_pass& done);
  [[nodiscard]] result<void> evaluate_if_due(std::int64_t epoch,
                                             const train_observer& observer,
                                             const std::atomic<bool>& stop);
  [[nodiscard]] result<void> evaluate(std::int64_t epoch,
                                      const train_observer& observer,
                                      const std::atomic<bool>& stop);
  [[nodiscard]] result<void> report_rounds(const data_pass& of,
                                           const train_observer& observer);
  [[nodiscard]] result<void> report_round(const data_pass& of,
                                          std::int64_t index, double lr,
                                          const train_observer& observer);

  const deployment& of_;
  pipeline_runner& on_;
  std::map<std::int64_t, loss_sum> rounds_; ///< of the last stage, unreported
  std::map<std::int64_t, double> rates_;    ///< of updates, unreported
  std::int64_t next_round_ = 0;
  loss_sum epoch_;
  train_progress progress_;
  train_summary summary_;
  std::int64_t begin_us_ = 0;
  std::int64_t round_begin_us_ = 0;
  rate_meter rate_{0}; ///< of the pass
};

} // namespace pd
