/// A residual network in small, cut into stages, with batches to train it: for
/// tests of what runs timetables.

#pragma once

#include "engine/device/cpu_device.hpp"
#include "engine/program/oracle.hpp"
#include "engine/schedule/generate.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Every kind of join and fusion is there; 3 x 12 x 12 images, 10 classes.
/// dropout: its rate.
[[nodiscard]] graph small_network(double dropout = 0.25);

inline constexpr std::int64_t small_samples = 4; ///< of a microbatch
inline constexpr std::uint64_t small_seed = 5;   ///< of weights and dropout
inline constexpr double small_rate = 0.05;       ///< what updates learn by

/// A microbatch of the small network, random by its number; memory of `on`.
[[nodiscard]] loaded_batch small_batch(device& on, std::int64_t microbatch);

/// How updates are made where a test does not say.
[[nodiscard]] optimizer_settings small_rule();

/// Parameters, statistics and momentum-free state by name.
using named_weights = std::map<std::string, std::vector<float>>;

/// What a run gave: the microbatches' losses, and replica 0's weights.
struct pipeline_run {
  std::map<std::int64_t, double> losses;
  named_weights weights;
  bool operator==(const pipeline_run&) const = default;
};

using device_maker = std::function<std::unique_ptr<device>()>;

/// What most tests leave as it is.
struct small_options {
  double dropout = 0.25;
  device_maker open = {};
  std::int64_t bucket_bytes = 1 << 20; ///< a stage's gradients are one bucket
  optimizer_settings rule = small_rule();
  bool recomputes = false; ///< every stage
  double clip_norm = 0;    ///< of all stages together
};

/// Devices, programs and optimizers of all workers of a schedule.
class small_pipeline {
public:
  /// until: the last node of each virtual stage but the last.
  small_pipeline(const schedule_options& how,
                 const std::vector<std::string>& until,
                 small_options options = {});
  ~small_pipeline();

  /// By worker: its chunks.
  [[nodiscard]] std::vector<std::vector<row_runner::chunk_parts>> parts();
  [[nodiscard]] const topology& links() const { return links_; }
  [[nodiscard]] const std::shared_ptr<const timetable>& all() const {
    return all_;
  }
  /// The batch of a microbatch of the whole run, the same for all pipelines.
  [[nodiscard]] loaded_batch batch(std::int64_t microbatch) {
    return small_batch(loader_, microbatch);
  }
  [[nodiscard]] named_weights weights();

  /// `epochs` times the timetable on the oracle. runs_ahead: of oracle_calls.
  [[nodiscard]] pipeline_run run(int epochs = 1, bool runs_ahead = false);

private:
  struct worker;

  void add_chunk(int worker, int chunk);

  std::vector<pipeline_stage> stages_;
  topology links_;
  small_options options_;
  std::shared_ptr<const timetable> all_;
  std::vector<std::unique_ptr<worker>> workers_;
  cpu_device loader_;
};

} // namespace pd
