/// Runs the rows of all workers on one thread, an action at a time: no actors,
/// no network. What the actor runtime gives has to have its bits.
///
/// Thread: its owner's.

#pragma once

#include "engine/program/round_sums.hpp"
#include "engine/program/row_runner.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace pd {

/// What a run of a timetable tells, and asks for.
struct oracle_calls {
  /// The batch of a microbatch, counted from the epoch's start.
  std::function<result<loaded_batch>(std::int64_t)> load;
  std::function<void(const loss_figures&)> on_loss;
  /// A stage made a version, with this learning rate; once for each replica.
  /// An error ends the run.
  std::function<result<void>(int worker, std::int64_t version, double lr)>
    on_update;
  /// Asked before a batch is loaded; true ends the pass after the rounds that
  /// have begun.
  std::function<bool()> is_stopping = {};
  /// A worker has run an action.
  std::function<void(int worker)> on_action = {};
  /// Each row runs as far as it can before the next has its turn; else the
  /// rows take turns action by action.
  bool runs_ahead = false;
};

/// A timetable to run. What lies behind the first `microbatches` is left out;
/// they fill whole rounds.
struct oracle_pass {
  std::shared_ptr<const timetable> all;
  std::int64_t first_microbatch = 0; ///< of the whole run: the pass's first
  std::int64_t microbatches = all->microbatches;
};

class oracle {
public:
  /// By worker: its chunks. All of it outlives the oracle.
  oracle(const std::vector<std::vector<row_runner::chunk_parts>>& workers,
         const topology& links);
  ~oracle();

  /// Runs a pass to its end.
  /// Errors: of calls; failed if no row can go on, with all waits.
  [[nodiscard]] result<void> run(const oracle_pass& what, oracle_calls calls);

private:
  class worker;

  [[nodiscard]] result<bool> take_turn(std::size_t index);
  [[nodiscard]] result<bool> step(std::size_t index);
  [[nodiscard]] result<void> load_for(std::size_t index);
  void end_after_begun_rounds();
  struct bucket_key {
    int virtual_stage = 0;
    std::int64_t round = 0;
    int bucket = 0;
    bool operator<(const bucket_key& other) const;
  };

  void add_bucket(const bucket_key& which, const event& ready);
  void add_measure(int virtual_stage, std::int64_t round, double value);
  void sum(const bucket_key& which);
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] std::string waits() const;

  std::vector<std::unique_ptr<worker>> workers_;
  std::shared_ptr<const timetable> all_;
  oracle_calls calls_;
  result<void> failure_;
  std::int64_t begun_ = 0; ///< microbatches below it may have begun
  bool is_ending_ = false;
  /// Of the replicas that have told it, until all have.
  std::map<bucket_key, std::vector<event>> buckets_;
  std::optional<round_sums> measures_;
};

} // namespace pd
