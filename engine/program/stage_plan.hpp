/// A stage compiled for one device: kernels in order, and every byte placed,
/// before anything is allocated.
///
/// Values, gradients and workspaces of one microbatch lie in one arena by
/// their lifetimes over the steps of its forward and backward
/// (stage_memory.hpp); so a gradient takes the place of a stash that is already
/// dead. Each microbatch in flight has an arena of its own; a stage that
/// recomputes keeps little there, and what its backward makes again lies in
/// arenas that the microbatches share. What goes to another stage does not lie
/// there: it has counted buffers, so that the stage may go on while the other
/// still reads.

#pragma once

#include "engine/graph/infer.hpp"
#include "engine/program/memory_plan.hpp"

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pd {

struct plan_options {
  dtype precision = dtype::f32; ///< of activations: f32 or bf16
  int in_flight = 1;            ///< microbatches forwarded, not yet backwarded
  bool is_training = true;      ///< false: forward only
  bool splits_backward = false; ///< weight halves run apart from input halves
  /// Microbatches between their two halves, if they run apart.
  int half_done = 1;
  /// The backward runs the forward again instead of keeping what it made.
  bool recomputes = false;
  std::uint64_t seed = 0;
  /// Buffers for each value and gradient that goes to another stage. One more
  /// is taken whenever all are still held by others.
  int handoff_buffers = 1;
};

/// A parameter, and where it lies in the stage's flat arrays.
struct stored_parameter {
  std::string name; ///< torchvision's: "layer1.0.conv1.weight"
  parameter rule;
  int node = 0;  ///< whose kernel packs it
  int index = 0; ///< among that node's parameters
  parameter_storage storage;
  /// Trainable: first element in the flat f32 array. Else: first byte in the
  /// array of statistics.
  std::int64_t offset = 0;
};

/// For how long an arena is a microbatch's: invariant (2) of stage_memory.hpp.
enum class arena_kind : std::uint8_t {
  microbatch, ///< from its forward to its backward
  shared,     ///< during one action
  halves      ///< from its input half to its weight half
};

struct arena_place {
  arena_kind in = arena_kind::microbatch;
  std::int64_t offset = 0;
};

/// Memory of one microbatch: a value, a gradient or a workspace.
struct placed_tensor {
  tensor_type type;
  bool is_external = false;  ///< comes as a handle, with each call
  bool is_handed_on = false; ///< goes to another stage as a handle
  arena_place place = {};
  /// Where the backward makes it again, if elsewhere.
  std::optional<arena_place> again = {};
};

/// After a backward, adds one gradient to another: several took one value.
struct gradient_sum {
  int target = 0; ///< indices of stage_plan::gradients
  int addend = 0;
  kernel* adder = nullptr; ///< of stage_plan::adders
};

/// One node. Indices are of stage_plan::values and ::gradients; -1: none.
struct planned_node {
  std::string name;
  std::unique_ptr<kernel> run; ///< null for what comes from outside
  kernel_needs needs;
  std::vector<int> inputs;
  std::vector<int> parameters;
  arena_place workspace;
  std::optional<arena_place> workspace_again; ///< as placed_tensor::again
  bool is_repeated = false; ///< the backward runs its forward again
  bool has_backward = false;
  bool is_of_auxiliary_head = false; ///< evaluations leave it out
  int output_grad = -1;
  int other_output_grad = -1;
  std::vector<int> input_grads;
  std::vector<gradient_sum> sums;
};

/// One line of the memory report.
struct memory_item {
  std::string name; ///< "weights", "activations", ...
  std::int64_t bytes = 0;
  std::string what; ///< for people: "2 versions of 97.5 MiB"
};

/// Node i makes values[i].
struct stage_plan {
  plan_options options;
  std::vector<planned_node> nodes;
  std::vector<placed_tensor> values;
  std::vector<placed_tensor> gradients;
  std::vector<std::unique_ptr<kernel>> adders;
  std::vector<stored_parameter> parameters;
  std::vector<int> outputs;         ///< nodes whose value the caller reads
  std::int64_t trainable_elems = 0; ///< of the flat f32 array, padding included
  std::int64_t statistics_bytes = 0;
  bool has_bf16_weights = false; ///< kernels read a rounded copy
  std::vector<int> segments;     ///< that run again as one: their first nodes
  std::array<std::int64_t, 3> arena_bytes{}; ///< of one, by arena_kind
  std::int64_t scratch_bytes = 0;

  /// How many arenas of a kind the stage has.
  [[nodiscard]] int arenas(arena_kind which) const;

  /// What one microbatch hands on to other stages.
  [[nodiscard]] std::int64_t handed_on_bytes() const;

  /// The memory of a stage with so many weight versions and optimizer moments.
  [[nodiscard]] std::vector<memory_item> memory(int versions,
                                                int moments) const;
};

/// Makes the kernels of `net` (fused, inferred) for `on` and places all
/// memory. `outputs` are the nodes whose values leave the stage, and get a
/// gradient from outside unless they are losses; a loss is always one.
///
/// Errors: not_supported with the node; what kernels' factories say.
[[nodiscard]] result<stage_plan> plan_stage(const typed_graph& net,
                                            const registry& ops, device& on,
                                            const plan_options& options,
                                            const std::set<int>& outputs = {});

} // namespace pd
