/// One worker's stage as an actor: it holds the worker's chunks and runs its
/// row.
///
/// The timetable says the order, the mailbox says when: each fact that arrives
/// is told to the row_runner, which runs what has become ready. So every valid
/// timetable runs on this one actor, and every bit of the result is the
/// timetable's and not the network's.
///
/// Papers: GPipe (arXiv 1811.06965), PipeDream (arXiv 1806.03377), 1F1B with
/// flush (arXiv 2006.09503), zero bubble (arXiv 2401.10241).

#pragma once

#include "actors/handles.hpp"
#include "actors/status_board.hpp"
#include "engine/base/trace.hpp"
#include "engine/train/deployment.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace pd {

/// Who a stage talks to, known once all are spawned.
struct stage_peers {
  /// By worker: their stages, or the links to them.
  std::shared_ptr<const std::vector<tensor_receiver>> receivers;
  data_loader_actor loader; ///< empty: no chunk reads batches
  gradient_sync_actor sync; ///< empty: the stage has one replica
  coordinator_actor coordinator;
};

/// What a stage is made of; its parts outlive it.
struct stage_options {
  std::shared_ptr<const deployment> all;
  int worker = 0;
  std::vector<row_runner::chunk_parts> chunks;
  std::shared_ptr<const stage_peers> peers; ///< read after the first message
  status_place* shown = nullptr;
  trace_ring* spans = nullptr;
};

/// Spawn detached: with shell<stage, stage_actor>.
class stage final : public outbox {
public:
  static inline const char* name = "stage";

  stage(stage_actor::pointer self, stage_options options);

  stage_actor::behavior_type make_behavior();

private:
  void begin(const begin_pass& order);
  void fact(std::int64_t generation, std::function<void()> tell);
  void end_stall();
  void advance();
  [[nodiscard]] bool may_step() const;
  bool step();
  void report(std::int64_t interval_us);
  void show_wait();
  [[nodiscard]] bool is_current(std::int64_t generation) const {
    return generation == generation_;
  }

  void activation(int from, int to, std::int64_t microbatch,
                  std::vector<tensor> values) override;
  void gradient(int from, int to, std::int64_t microbatch,
                std::vector<tensor> values) override;
  void bucket_done(int chunk, std::int64_t round, int bucket,
                   const event& ready) override;
  void round_measured(int chunk, std::int64_t round,
                      double sum_of_squares) override;
  void loss(const loss_figures& of) override;
  void updated(int chunk, std::int64_t version, double lr) override;
  void batch_released(std::int64_t microbatch) override;

  [[nodiscard]] const tensor_receiver& receiver(int to,
                                                std::int64_t microbatch) const;

  stage_actor::pointer self_;
  stage_options is_;
  placement where_;
  row_runner runner_;
  std::int64_t generation_ = 0;
  bool is_held_ = false;
  bool has_told_end_ = true;
  progress_reported unsaid_;
  std::int64_t reported_us_ = 0;
  std::int64_t batches_unsaid_ = 0;
  std::int64_t stall_us_ = 0;
  std::int64_t busy_us_ = 0;
  std::vector<std::string> broken_;          ///< files that its batches told of
  std::int64_t stalled_since_us_ = 0;        ///< 0: not now
  std::vector<std::function<void()>> early_; ///< of the next generation
};

} // namespace pd
