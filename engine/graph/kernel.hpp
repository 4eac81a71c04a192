/// A prepared computation: one node at fixed shapes on one device.
///
/// Invariants:
///
/// (1) After it is made, a kernel allocates nothing: what it needs it says in
///     needs(), and the memory comes with every call.
///
/// (2) It keeps nothing of a microbatch: what backward must remember lies in
///     the stash (inputs, output, workspace) of that microbatch. So calls for
///     several microbatches in flight may alternate.
///
/// (3) Reductions have an order that depends on shapes and threads only.
///
/// (4) Channel padding of an activation is zero in, and is left zero.

#pragma once

#include "engine/device/device.hpp"
#include "engine/device/tensor.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/op.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pd {

/// Memory of an operand whose type was fixed when the kernel was made.
class operand {
public:
  operand() = default;
  explicit operand(void* data) : data_{data} {}

  [[nodiscard]] void* data() const { return data_; }
  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] float* f32() const { return as<float>(); }
  explicit operator bool() const { return data_ != nullptr; }

private:
  void* data_ = nullptr;
};

/// What backward reads of a microbatch's forward, and room that is wanted.
struct kernel_needs {
  bool stashes_input = false;       ///< backward_* reads the inputs
  bool stashes_output = false;      ///< backward_* reads the output
  std::int64_t workspace_bytes = 0; ///< forward writes it, backward_* read it
  std::int64_t scratch_bytes = 0;   ///< free use within one call
  /// forward may write its output over input 0 (if types agree).
  bool forward_in_place = false;
  /// The input whose gradient backward_input may write over the output
  /// gradient; -1: none.
  int backward_in_place = -1;
  /// backward_input changes the output gradient (backward_weight of the same
  /// microbatch then gets it so).
  bool overwrites_output_grad = false;
  /// backward_call::other_output_grad is taken.
  bool takes_two_output_grads = false;
};

/// How a kernel wants a parameter stored; the optimizer does not care, since
/// it works element by element. Padding must be zero, and get zero gradients.
struct parameter_storage {
  std::int64_t elems = 0;
  /// What calls get: trainable ones may be bf16 copies of the f32 master.
  dtype type = dtype::f32;
};

struct forward_call {
  std::span<const operand> inputs;
  operand output;
  std::span<const operand> parameters; ///< as op::parameters orders them
  operand workspace;
  operand scratch;
  std::int64_t microbatch = 0; ///< counted over the whole run
  bool is_training = true;
  /// Run again for the microbatch's backward: gives the same bits, and leaves
  /// statistics and counters as they are.
  bool is_repeat = false;
};

struct backward_call {
  std::span<const operand> inputs; ///< null unless needs().stashes_input
  operand output;                  ///< null unless needs().stashes_output
  operand output_grad;             ///< null at the loss: it is 1
  operand other_output_grad;       ///< to be added to it first; may be null
  std::span<const operand> input_grads; ///< null where nobody wants it
  std::span<const operand> parameters;
  std::span<const operand> parameter_grads; ///< f32, in parameter_storage
  operand workspace;
  operand scratch;
  std::int64_t microbatch = 0;
  bool accumulate = false; ///< parameter gradients: add, else overwrite
};

/// Thread: one at a time, on the stream's.
class kernel {
public:
  virtual ~kernel() = default;

  [[nodiscard]] virtual kernel_needs needs() const { return {}; }

  virtual void forward(const forward_call& call) = 0;
  /// Writes (never adds to) input_grads. Always called before backward_weight
  /// of the same microbatch, also when no input gradient is wanted.
  virtual void backward_input(const backward_call&) {}
  /// Writes or adds to parameter_grads.
  virtual void backward_weight(const backward_call&) {}

  /// How parameter i is stored; the default is PyTorch's layout in f32.
  [[nodiscard]] virtual parameter_storage storage(int index,
                                                  const parameter& rule) const;
  /// Between PyTorch's layout and storage(i), both f32.
  virtual void pack(int index, std::span<const float> plain,
                    std::span<float> stored) const;
  virtual void unpack(int index, std::span<const float> stored,
                      std::span<float> plain) const;

  /// Which implementation runs, for people: "jit_1x1:avx2".
  [[nodiscard]] virtual std::string describe() const { return ""; }
};

/// All that a kernel is made from.
struct kernel_context {
  const node& at;
  const op& rule;
  std::vector<tensor_type> inputs;
  tensor_type output;
  device& on;
  std::uint64_t seed = 0; ///< for what is random: (seed, node name, ...)
  bool needs_input_grad = true;
};

/// Errors: not_supported with the node's name; out of nothing else.
using kernel_factory =
  result<std::unique_ptr<kernel>> (*)(const kernel_context&);

} // namespace pd
