/// Applies a round's gradients: makes the next version of a stage's weights.

#pragma once

#include "engine/graph/registry.hpp"
#include "engine/program/learning_rate.hpp"
#include "engine/program/stage_program.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace pd {

struct optimizer_options {
  optimizer_settings rule;
  learning_rate_policy rate;
  double clip_norm = 0; ///< largest norm of all gradients together; 0: any
};

/// Owns: the moments. Keeps a reference to the program.
///
/// Thread: the stage's.
class optimizer {
public:
  /// Errors: what the rule's factory says; out_of_memory.
  [[nodiscard]] static result<std::unique_ptr<optimizer>>
  make(const optimizer_options& options, stage_program& program,
       const registry& ops, device& on);

  /// Of the stage's gradients as they are now; waits for the stream.
  [[nodiscard]] double sum_of_squares();

  /// Queues update number `updates()`; gradients are multiplied by grad_scale
  /// first: 1 / microbatches of the round. sum_of_squares: what clips them, if
  /// other stages have a part in it; else this stage's own.
  void step(double grad_scale = 1, std::optional<double> sum_of_squares = {});

  /// Goes on with update number `updates`, whose moments have seen `steps`
  /// before: fewer or more if the stage was cut otherwise then.
  /// @pre none is queued
  void resume(std::int64_t updates, std::int64_t steps);

  /// Updates queued so far.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  /// That the moments have seen.
  [[nodiscard]] std::int64_t steps() const { return updates_ + more_steps_; }
  /// Each of stage_plan::trainable_elems; waits for nothing.
  [[nodiscard]] std::span<float* const> moment_arrays() const {
    return moments_;
  }
  /// The learning rate of the next update.
  [[nodiscard]] double rate() const { return options_.rate.at(updates_); }
  [[nodiscard]] int moments() const { return rule_->moments(); }

private:
  optimizer(optimizer_options options, stage_program& program)
    : options_{std::move(options)}, program_{program} {}
  void apply();
  [[nodiscard]] double own_sum_of_squares() const;

  /// The update that runs next; several may be queued on a late stream.
  struct pending {
    weight_version* from = nullptr;
    weight_version* to = nullptr;
    std::int64_t update = 0;
    double grad_scale = 1;
    std::optional<double> sum_of_squares;
  };

  optimizer_options options_;
  stage_program& program_;
  std::unique_ptr<update_rule> rule_;
  std::vector<buffer> memory_;
  std::vector<float*> moments_;
  std::int64_t updates_ = 0;
  std::int64_t more_steps_ = 0;    ///< than updates
  std::array<pending, 16> queued_; ///< update u is in cell u mod 16
  std::array<event, 16> done_;
  std::int64_t applied_ = 0; ///< only on the stream
};

} // namespace pd
