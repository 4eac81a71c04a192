/// What runs a deployment: the oracle on one thread, or the actors.
///
///     trainer ── run(pass) ──▶ pipeline_runner
///             ◀── losses, updates ──
///
/// Invariants:
///
/// (1) A pass is an epoch or what lies of it between two checkpoints, or an
///     evaluation. Between two passes nothing is in flight, and weights may be
///     read.
///
/// (2) What a pass tells is numbered from where it begins.

#pragma once

#include "engine/checkpoint/manifest.hpp"
#include "engine/program/row_runner.hpp"
#include "engine/train/weights.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// One walk over the data: `microbatches` of an epoch from `begin` on.
struct data_pass {
  std::int64_t epoch = 0;
  std::int64_t begin = 0;
  std::int64_t microbatches = 0;
  bool is_training = true;
};

/// Called on the thread that called run().
struct pass_calls {
  std::function<result<void>(const loss_figures&)> on_loss;
  /// The last stage made a version; `lr` made it. Once for all its replicas.
  std::function<result<void>(std::int64_t version, double lr)> on_update;
};

/// What has come of a checkpoint: its folder, or why there is none, with the
/// file's name. Training goes on in any case.
struct saved_checkpoint {
  checkpoint_position at;
  result<std::string> path;
};

/// One action that a worker ran. Times of the monotonic clock.
struct traced_action {
  std::string name; ///< "forward", ...
  std::int64_t index = 0;
  std::int64_t begin_us = 0;
  std::int64_t end_us = 0;
};

/// The newest actions of a worker, oldest first.
using worker_trace = std::vector<traced_action>;

class pipeline_runner {
public:
  pipeline_runner() = default;
  pipeline_runner(const pipeline_runner&) = delete;
  pipeline_runner& operator=(const pipeline_runner&) = delete;
  virtual ~pipeline_runner() = default;

  /// Runs to the pass's end; or, if `stop` is set meanwhile, to the end of the
  /// rounds that have begun.
  /// Errors: of the data, a worker, or a call.
  [[nodiscard]] virtual result<void> run(const data_pass& what,
                                         const pass_calls& calls,
                                         const std::atomic<bool>& stop) = 0;

  /// All parameters and statistics, of replica 0 of each stage.
  [[nodiscard]] virtual result<std::vector<named_tensor>> weights() = 0;

  /// Begins a checkpoint, from which a run goes on at `at`. Returns once the
  /// weights are copied, and training may go on; the files are written beside
  /// it. Waits before that until the last checkpoint is whole.
  /// Errors: of a worker; not of the files, see tell_saved().
  [[nodiscard]] virtual result<void> save(const checkpoint_position& at) = 0;

  /// Waits until the last checkpoint is whole. Errors: of a worker.
  [[nodiscard]] virtual result<void> finish_saving() = 0;

  /// Who is told of every checkpoint, within one of these calls or run().
  void tell_saved(std::function<void(const saved_checkpoint&)> told) {
    told_saved_ = std::move(told);
  }

  /// That training waited for data, so far.
  [[nodiscard]] virtual double data_stall_s() const = 0;

  /// By worker. Empty: nothing is known. Errors: a worker is gone.
  [[nodiscard]] virtual result<std::vector<worker_trace>> trace() {
    return std::vector<worker_trace>{};
  }

  /// Where what runs elsewhere leaves its logs: worker-0.log, ...
  virtual void log_to(const std::string& directory) { (void)directory; }

  /// By worker, the share of the last training pass that it was in actions,
  /// 0 ... 1. Empty: not known.
  [[nodiscard]] virtual std::vector<double> busy_shares() const { return {}; }

  /// One line for people: "cpu, AVX2, 2 threads".
  [[nodiscard]] virtual std::string describe() const = 0;

  /// Files that could not be read, and were replaced; each once.
  [[nodiscard]] const std::vector<std::string>& broken() const {
    return broken_;
  }

protected:
  /// Of several processes each may tell of the same file.
  void add_broken(const std::vector<std::string>& paths) {
    for (const auto& each : paths)
      if (std::ranges::find(broken_, each) == broken_.end())
        broken_.push_back(each);
  }

  void say_saved(const saved_checkpoint& what) const {
    if (told_saved_)
      told_saved_(what);
  }

private:
  std::function<void(const saved_checkpoint&)> told_saved_;
  std::vector<std::string> broken_;
};

} // namespace pd
