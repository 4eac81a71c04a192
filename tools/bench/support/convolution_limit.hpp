/// The least time a training step can take with oneDNN's convolutions: the sum
/// of their times, measured one by one, each in its own best layout, with
/// nothing between them.

#pragma once

#include "engine/device/cpu_device.hpp"
#include "engine/graph/infer.hpp"

#include <memory>
#include <vector>

namespace pd {

/// The convolutions of one network's step, ready to be timed again and again:
/// in turns with the steps, since a shared machine's speed changes by the
/// second. Each shape has operands of its own, in the kind of memory that the
/// engine's have.
///
/// Thread: one, with its OpenMP team.
class convolution_limit {
public:
  /// In bf16, where oneDNN has no such convolution, the f32 one counts.
  /// Errors: out_of_memory.
  [[nodiscard]] static result<convolution_limit>
  make(const typed_graph& net, dtype precision, int threads);

  convolution_limit(convolution_limit&&) noexcept;
  ~convolution_limit();

  /// Seconds of all convolutions of one step. Calls each shape's three
  /// primitives twice, times the second call, and counts it as often as the
  /// network has the shape.
  [[nodiscard]] double run_s();

private:
  class probe;

  explicit convolution_limit(int threads);

  std::unique_ptr<cpu_device> on_;
  std::vector<probe> probes_;
};

} // namespace pd
