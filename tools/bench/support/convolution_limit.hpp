/// The least time a training step can take with oneDNN's convolutions: the sum
/// of their times, measured one by one, each in its own best layout, with
/// nothing between them.

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/graph/infer.hpp"

#include <string>
#include <vector>

namespace pd {

/// One shape of convolution, and how often the network has it. Seconds are of
/// one call, the median of several.
struct convolution_time {
  std::string what; ///< "64>256 k1 s1 56x56"
  int count = 0;
  double forward_s = 0;
  double backward_input_s = 0; ///< 0 for the first: nobody wants it
  double backward_weight_s = 0;
};

/// Measures with `threads` threads; `repeats` calls of each after a warm-up.
/// In bf16, where oneDNN has no such convolution, the f32 one counts.
[[nodiscard]] std::vector<convolution_time>
measure_convolutions(const typed_graph& net, dtype precision, int threads,
                     int repeats);

/// Seconds of all of them: one step.
[[nodiscard]] double total_s(const std::vector<convolution_time>& all);

} // namespace pd
