/// The learning rate as a function of how far training is.

#pragma once

#include <cstdint>
#include <string>

namespace pd {

/// Every policy is a pure function of the update's number.
struct learning_rate_policy {
  std::string name = "constant"; ///< constant | step | polynomial |
                                 ///< exponential | cosine
  double base = 0.01;
  double final = 0;         ///< polynomial, cosine: the rate at the end
  double gamma = 0.1;       ///< step, exponential: factor
  double step_epochs = 30;  ///< step: epochs between two factors
  double power = 1;         ///< polynomial
  double warmup_epochs = 0; ///< linear from base / updates to base
  double epochs = 1;        ///< the whole training
  std::int64_t updates_per_epoch = 1;

  /// The rate of update `step` (0-based).
  ///
  /// With e = step / updates_per_epoch:
  /// step: base gamma^floor(e / step_epochs); exponential: base gamma^floor(e);
  /// polynomial: final + (base - final) (1 - e / epochs)^power;
  /// cosine: final + (base - final) (1 + cos(pi e / epochs)) / 2.
  /// During warm-up it is multiplied by (step + 1) / warm-up updates.
  [[nodiscard]] double at(std::int64_t step) const;
};

} // namespace pd
