/// Trains one stage on one device: epochs of rounds of microbatches, with
/// evaluations between. The plain loop that the actors will drive message by
/// message.

#pragma once

#include "engine/data/dataset.hpp"
#include "engine/data/prefetch.hpp"
#include "engine/data/sampler.hpp"
#include "engine/program/optimizer.hpp"
#include "engine/program/stage_program.hpp"
#include "engine/train/run_directory.hpp"

#include <array>
#include <atomic>
#include <functional>

namespace pd {

enum class evaluate_when { epoch, end, never };

struct trainer_options {
  std::int64_t epochs = 1; ///< 0: only an evaluation
  std::int64_t microbatch = 1;
  std::int64_t round = 1;            ///< microbatches of an update
  std::int64_t max_microbatches = 0; ///< of an epoch; 0: all
  evaluate_when evaluate = evaluate_when::epoch;
  bool shuffle = true;
  std::uint64_t seed = 0;
};

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
};

/// What a run came to.
struct train_summary {
  double loss = 0;            ///< mean over the last epoch's updates
  double accuracy = 0;        ///< likewise, of the training samples
  std::int64_t samples = 0;   ///< trained on
  std::int64_t left_over = 0; ///< of an epoch: they fill no round
  double seconds = 0;         ///< of training, evaluations not counted
  double samples_per_s = 0;
  double data_stall_s = 0; ///< that training waited for data
  bool has_evaluation = false;
  evaluation_metrics evaluation; ///< the last one
  bool was_interrupted = false;  ///< after a whole update
};

/// What a trainer works on; all of it outlives the trainer.
struct train_parts {
  stage_program& program;
  optimizer* updates = nullptr;        ///< null if epochs = 0
  const dataset* training = nullptr;   ///< null if epochs = 0
  const dataset* evaluation = nullptr; ///< null if never evaluated
};

class trainer {
public:
  /// Errors: bad_value if the data do not fill a round; out_of_memory.
  [[nodiscard]] static result<trainer>
  make(const train_parts& parts, const trainer_options& options, device& on);

  /// Trains until the epochs are over or `stop` is set.
  /// Errors: of the data; failed if the loss is no number; the observer's.
  [[nodiscard]] result<train_summary> run(const train_observer& observer,
                                          const std::atomic<bool>& stop);

private:
  /// Sums of the loss kernel's outputs.
  struct loss_sum {
    double loss = 0;
    double correct = 0;
    double correct_top5 = 0;
    std::int64_t samples = 0;
  };

  trainer(const train_parts& parts, const trainer_options& options)
    : parts_{parts}, options_{options} {}
  [[nodiscard]] result<sampler> order_of(const dataset& data,
                                         bool is_training) const;
  void bring(const prefetched_batch& batch);
  static void add_loss(loss_sum& sum, const tensor& loss,
                       const prefetched_batch& batch);
  [[nodiscard]] result<bool> train_round(prefetch& data,
                                         const train_observer& observer);
  [[nodiscard]] result<void> train_epoch(prefetch& data, std::int64_t epoch,
                                         const train_observer& observer,
                                         const std::atomic<bool>& stop);
  [[nodiscard]] result<void> evaluate(std::int64_t epoch,
                                      const train_observer& observer,
                                      const std::atomic<bool>& stop);
  [[nodiscard]] result<void> report_round(const prefetched_batch& last,
                                          const loss_sum& round, double lr,
                                          const train_observer& observer);

  train_parts parts_;
  trainer_options options_;
  std::array<tensor, 2> inputs_;  ///< images, labels
  std::int64_t microbatches_ = 0; ///< run so far
  loss_sum epoch_;
  train_progress progress_;
  train_summary summary_;
  std::int64_t begin_us_ = 0;
  std::int64_t round_begin_us_ = 0;
};

} // namespace pd
