/// Runs the row of one worker: the next action as soon as its operands are
/// here, and never a later one first. The oracle and the stage actor are both
/// this, and bring it facts in their own ways.
///
///     facts  ──▶  row_runner  ── outbox ──▶  other workers, loaders, sync
///               step() runs one action
///
/// Invariants:
///
/// (1) The order of the arithmetic is the row's, whatever the order of facts.
///
/// (2) A round's first backward starts the gradients anew, the others add; the
///     update divides by all microbatches of the round, replicas included.
///
/// (3) The last own backward of a round tells the stage's buckets of gradients
///     as they become whole, if it has other replicas. Nothing is read or
///     written in them by the row until the round is reduced.
///
/// (4) If updates are joint (timetable.hpp), replica 0 of each stage tells the
///     sum of the squares of a round's gradients as soon as they are whole, and
///     the update takes the sum over all stages.
///
/// (5) Between two epochs nothing is in flight; versions in the timetable count
///     from the epoch's start (schedule/action.hpp), in the weights from 0.
///
/// Thread: one, the stage's.

#pragma once

#include "engine/program/gradient_buckets.hpp"
#include "engine/program/optimizer.hpp"
#include "engine/program/pipeline.hpp"
#include "engine/schedule/ready.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pd {

/// A microbatch from a loader. A stage that needs only one has the other empty.
struct loaded_batch {
  std::int64_t microbatch = 0;
  std::int64_t samples = 0; ///< that are there; fewer in an evaluation's last
  tensor images;            ///< f32 [N, C, H, W]
  tensor labels;            ///< i32 [N], -1 where no sample is
};

/// What the loss of a microbatch was.
struct loss_figures {
  std::int64_t microbatch = 0;
  std::int64_t samples = 0;
  double loss = 0; ///< mean
  double correct = 0;
  double correct_top5 = 0;
};

/// Where a row's results go. Called on the runner's thread.
class outbox {
public:
  outbox() = default;
  outbox(const outbox&) = delete;
  outbox& operator=(const outbox&) = delete;
  virtual ~outbox() = default;

  virtual void activation(int from, int to, std::int64_t microbatch,
                          std::vector<tensor> values) = 0;
  /// Without values: an acknowledgement of an evaluation.
  virtual void gradient(int from, int to, std::int64_t microbatch,
                        std::vector<tensor> values) = 0;
  /// After `ready`, this replica's part of a bucket of the round's gradients is
  /// whole in program.weights(). Said for each of chunk_parts::buckets in their
  /// order, in the midst of a backward, by a stage of several replicas; to be
  /// answered once for all of them, by round_reduced().
  virtual void bucket_done(int chunk, std::int64_t round, int bucket,
                           const event& ready) = 0;
  /// Invariant (4). To be answered by round_joined() once all stages said it,
  /// to all workers.
  virtual void round_measured(int chunk, std::int64_t round,
                              double sum_of_squares) = 0;
  virtual void loss(const loss_figures& of) = 0;
  /// lr: of the update that was made.
  virtual void updated(int chunk, std::int64_t version, double lr) = 0;
  /// The tensors of a batch are not read any more.
  virtual void batch_released(std::int64_t microbatch) = 0;
};

class row_runner {
public:
  /// One chunk of the worker. All of it outlives the runner.
  struct chunk_parts {
    stage_program* program = nullptr;
    optimizer* updates = nullptr; ///< null: no training
    const pipeline_stage* stage = nullptr;
    std::span<const gradient_bucket> buckets; ///< plan_buckets: of all
  };

  /// @pre validate(all, links)
  row_runner(const std::vector<chunk_parts>& chunks, topology links, int worker,
             outbox& to);
  ~row_runner();

  /// Starts a timetable: a part of an epoch, or an evaluation.
  /// first_microbatch: of the whole run, what microbatch 0 is; dropout draws by
  /// it.
  /// @pre is_over()
  void start(std::shared_ptr<const timetable> all,
             std::int64_t first_microbatch);

  /// Leaves out the microbatches from `end` on, and their updates: the pass
  /// ends early. @pre none of them has run here; `end` fills whole rounds
  void end_at(std::int64_t end);

  // -- facts ------------------------------------------------------------------

  void batch_arrived(loaded_batch batch);
  void activation_arrived(int from, int to, std::int64_t microbatch,
                          std::vector<tensor> values);
  void gradient_arrived(int from, int to, std::int64_t microbatch,
                        std::vector<tensor> values);
  /// The gradients of all replicas are in program.weights() now. May be told
  /// within the outbox's last bucket_done of the round.
  void round_reduced(int chunk, std::int64_t round);
  /// All stages have measured the round. May be told within the outbox's
  /// round_measured.
  void round_joined(std::int64_t round, double sum_of_squares);

  // -- running ----------------------------------------------------------------

  /// Runs the next action; false, and nothing done, if it has to wait.
  bool step();

  /// What the next action waits for; nothing, if it may run. @pre !is_over()
  [[nodiscard]] missing lacks() const;
  /// True if that is its microbatch's batch.
  [[nodiscard]] bool lacks_only_batch() const;
  /// True if a chunk here takes images or labels.
  [[nodiscard]] bool reads_batches() const;
  [[nodiscard]] bool is_over() const;
  /// "F3 waits for the activation of microbatch 3 from stage 0".
  [[nodiscard]] std::string waits_for() const;
  /// The next action. @pre !is_over()
  [[nodiscard]] const action& next() const;
  [[nodiscard]] std::int64_t in_flight() const;
  /// Microbatches from here on have not begun in this pass.
  [[nodiscard]] std::int64_t begun() const { return begun_; }

private:
  struct chunk_state;

  [[nodiscard]] chunk_state& chunk_of(const action& what) const;
  [[nodiscard]] bool is_left_out(const action& what) const;
  [[nodiscard]] bool lacks_batch(const action& what) const;
  [[nodiscard]] bool lacks_reduction(const action& what) const;
  [[nodiscard]] std::int64_t round_of(const action& what) const;
  [[nodiscard]] bool has_replicas() const;
  void run(const action& what);
  void run_forward(const action& what, run_mode mode);
  void run_backward(const action& what);
  void run_backward(chunk_state& chunk, const action& what, bool accumulates);
  void run_update(const action& what);
  void hand_on(const chunk_state& chunk, std::int64_t microbatch);
  void hand_back(const chunk_state& chunk, std::int64_t microbatch);
  void release_batch(const chunk_state& chunk, std::int64_t microbatch);
  void acknowledge(const chunk_state& chunk, std::int64_t microbatch);
  void report_loss(chunk_state& chunk, std::int64_t microbatch);
  void end_backward(chunk_state& chunk, const action& what);
  void measure(const chunk_state& chunk, std::int64_t round);
  [[nodiscard]] std::vector<tensor> inputs_of(chunk_state& chunk,
                                              std::int64_t microbatch);
  [[nodiscard]] std::vector<tensor> output_grads_of(chunk_state& chunk,
                                                    std::int64_t microbatch);

  topology links_;
  int worker_;
  outbox& to_;
  std::vector<std::unique_ptr<chunk_state>> chunks_;
  std::shared_ptr<const timetable> all_;
  std::optional<placement> where_; ///< of all_
  std::unique_ptr<worker_progress> progress_;
  std::map<std::int64_t, double> joint_sums_; ///< of squares, by round
  std::map<std::int64_t, loaded_batch> batches_;
  std::map<std::int64_t, std::int64_t> batch_uses_; ///< chunks that are through
  std::size_t next_ = 0;
  std::int64_t first_microbatch_ = 0;
  std::int64_t begun_ = 0;
  std::int64_t end_ = 0; ///< microbatches of the pass
};

} // namespace pd
