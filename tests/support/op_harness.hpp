/// Runs one node on a device as a stage program would, and holds its kernel to
/// the invariants of engine/graph/kernel.hpp.
///
/// Every operand lies between guards. Before a call all that a kernel may
/// write is filled with 0xFF (a NaN in f32 and bf16), and all that it may not
/// read is null; after it the guards, the operands that it may not write and
/// the channel padding are checked.

#pragma once

#include "engine/device/cpu_device.hpp"
#include "engine/graph/registry.hpp"
#include "tests/support/allocation_counter.hpp"
#include "tests/support/golden.hpp"

#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Every op there is (ops/register.hpp).
[[nodiscard]] const registry& all_ops();

/// How a case is run.
struct op_variant {
  dtype activation = dtype::f32;
  /// Of the device; default: this machine's own. Another one is right, only
  /// slow, so a machine can test both.
  layout order = cpu_device{}.activation_layout(dtype::f32);
  /// Images come as the node "input" gives them: f32, plain, no gradient.
  bool is_plain_input = false;
  bool needs_input_grad = true;
  int threads = 2;
};

/// "bf16, blocked8"
[[nodiscard]] std::string to_string(const op_variant& how);

/// What a call may do beyond the plain way.
struct call_mode {
  bool is_in_place = false;        ///< as far as needs() allows
  bool splits_output_grad = false; ///< output_grad and other_output_grad
  int unwanted_input_grad = -1;    ///< this one is null
  std::int64_t microbatch = 0;
};

/// One node, compiled, with parameters; and the memory of one microbatch.
class op_harness {
public:
  /// Ends the test if the op, its shape or its kernel cannot be made.
  explicit op_harness(const op_case& of, const op_variant& how = {});
  ~op_harness();

  void set_input(int index, const host_tensor& values);
  void set_parameter(const std::string& suffix, const host_tensor& values);

  /// Each runs the kernel once and checks its invariants.
  void forward(const call_mode& mode = {});
  void backward_input(const host_tensor& output_grad,
                      const call_mode& mode = {});
  /// After backward_input.
  void backward_weight(bool accumulate = false);

  /// Sends another microbatch through the kernel, forward and backward, with
  /// other inputs of the case's shapes; then puts the memory back.
  void forward_another(const op_case& of);

  [[nodiscard]] host_tensor output() const;
  [[nodiscard]] host_tensor input_grad(int index) const;
  [[nodiscard]] host_tensor parameter(const std::string& suffix) const;
  [[nodiscard]] host_tensor parameter_grad(const std::string& suffix) const;

  [[nodiscard]] const op& rule() const;
  [[nodiscard]] const pd::kernel& kernel() const;
  /// Heap allocations of the last call.
  [[nodiscard]] allocation_counts allocations() const;

  struct state;

private:
  std::unique_ptr<state> state_;
};

} // namespace pd
