/// A stage that runs: a plan with its memory, weights and stream.
///
/// Each microbatch in flight has a slot: an arena placed by the plan, and the
/// pointers into it and into the arenas that the slots share. All work is
/// queued on the stage's stream; nothing is allocated after make().
///
/// Thread: one, the stage's; but for what takes place before the first run.

#pragma once

#include "engine/program/gradient_buckets.hpp"
#include "engine/program/stage_plan.hpp"
#include "engine/program/weight_store.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace pd {

enum class run_mode { training, evaluation };

inline constexpr std::int64_t newest_version = -1;

class stage_program {
public:
  /// Allocates all that `plan` asks for, and sets the weights to their initial
  /// values. `on` outlives the program. Errors: out_of_memory.
  [[nodiscard]] static result<std::unique_ptr<stage_program>>
  make(stage_plan plan, device& on, int weight_versions = 1);

  ~stage_program();

  /// Runs the stage forward with a version of the weights. `inputs` are the
  /// values from outside in the order of the graph; their handles are kept
  /// until the microbatch is over.
  /// @pre a slot is free, the version is kept, and the types are the plan's
  void forward(std::int64_t microbatch, std::span<const tensor> inputs,
               run_mode mode, std::int64_t version = newest_version);

  /// Backward of inputs and parameters, with the weights that forward used;
  /// runs forward again what the plan did not keep. Ends the microbatch.
  /// `output_grads`: for each output that is no loss. accumulate: adds to the
  /// round's gradients; else they start anew. watch: in the last of a round,
  /// who is told of its buckets.
  /// @pre forward ran; the plan does not split backward
  void backward(std::int64_t microbatch, bool accumulate,
                std::span<const tensor> output_grads = {},
                const bucket_watch& watch = {});

  /// The two halves of it, in this order. backward_weight ends the microbatch.
  /// @pre the plan splits backward
  void backward_input(std::int64_t microbatch,
                      std::span<const tensor> output_grads = {});
  void backward_weight(std::int64_t microbatch, bool accumulate,
                       const bucket_watch& watch = {});

  /// Ends a microbatch that gets no backward: an evaluation.
  void release(std::int64_t microbatch);

  /// plan().outputs[index] of a microbatch that is not yet over. Its memory is
  /// the caller's as long as it holds it, but for a loss.
  [[nodiscard]] tensor output(std::int64_t microbatch, int index = 0);

  /// The gradient by the stage's input node `node`, of the last backward or
  /// backward_input. Its memory is the caller's as long as it holds it.
  /// @pre nobody took it before
  [[nodiscard]] tensor take_input_grad(int node);

  /// Microbatches whose activations lie here now.
  [[nodiscard]] int in_flight() const;

  /// Bytes of the buffers that were taken beyond the plan's.
  [[nodiscard]] std::int64_t extra_handoff_bytes() const {
    return extra_handoff_bytes_;
  }

  /// One parameter or statistic in PyTorch's layout; blocks for the stream.
  /// Counters come as the nearest float.
  [[nodiscard]] std::vector<float> read(const stored_parameter& which);
  void write(const stored_parameter& which, std::span<const float> values);
  [[nodiscard]] std::vector<float> read_grad(const stored_parameter& which);

  /// Between a parameter as it is stored and PyTorch's layout, both f32.
  /// Thread: any, beside what runs.
  [[nodiscard]] std::vector<float> unpacked(const stored_parameter& which,
                                            const float* stored) const;
  void pack(const stored_parameter& which, std::span<const float> values,
            std::span<float> stored) const;

  [[nodiscard]] const stage_plan& plan() const { return plan_; }
  [[nodiscard]] weight_store& weights() { return *weights_; }
  [[nodiscard]] stream& work() { return *work_; }

private:
  struct slot;
  struct prepared_node;

  explicit stage_program(stage_plan plan);
  [[nodiscard]] result<void> allocate(device& on, int weight_versions);
  [[nodiscard]] result<void> allocate_handoffs();
  [[nodiscard]] result<void> allocate_shared_arenas();
  [[nodiscard]] result<std::unique_ptr<slot>> make_slot(device& on);
  [[nodiscard]] prepared_node prepare(const planned_node& from,
                                      const slot& in) const;
  [[nodiscard]] operand locate(const arena_place& where, const slot& in) const;
  void initialize();

  [[nodiscard]] slot& slot_of(std::int64_t microbatch);
  [[nodiscard]] slot& free_slot();
  [[nodiscard]] int free_half() const;
  void bind_parameters(slot& in);
  [[nodiscard]] operand hold(tensor& place, const placed_tensor& planned,
                             const tensor& given);
  void bind_inputs(slot& in, std::span<const tensor> inputs);
  void bind_output_grads(slot& in, std::span<const tensor> grads);
  void bind_handed_on_values(slot& in);
  void bind_handed_on_grads(slot& in);
  void bind_backward(slot& in, std::span<const tensor> output_grads);
  [[nodiscard]] tensor hand_on(std::size_t which, const tensor_type& type);
  static void let_go(slot& in);
  void queue_forward(slot& in, std::size_t node, run_mode mode);
  void queue_again(slot& in, std::size_t node);
  void queue_second_forward(slot& in, std::size_t end);
  void queue_backward_input(slot& in, std::size_t node);
  void queue_backward_weight(slot& in, std::size_t node, bool accumulate);
  void end(slot& in);

  stage_plan plan_;
  std::unique_ptr<weight_store> weights_;
  std::unique_ptr<stream> work_;
  buffer scratch_;
  buffer shared_arena_;
  std::vector<buffer> half_arenas_;
  std::vector<std::unique_ptr<slot>> slots_;
  /// For each value, then for each gradient: the buffers it is handed on in.
  std::vector<std::vector<buffer>> handoffs_;
  std::vector<tensor> input_grads_; ///< by gradient, of the last backward
  device* on_ = nullptr;
  std::int64_t extra_handoff_bytes_ = 0;
};

} // namespace pd
