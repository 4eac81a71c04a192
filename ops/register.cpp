#include "ops/register.hpp"

#include "ops/cpu/kernels.hpp"
#include "ops/replay_kernel.hpp"
#include "ops/rules.hpp"

namespace pd {

namespace {

/// What a device other than the CPU adds to a row stands beside `cpu::`.
struct op_row {
  const char* type;
  op_factory rule;
  kernel_factory on_cpu; ///< null: a value from outside, nobody computes it
  kernel_factory on_replay = nullptr; ///< null: no rehearsal has it
};

constexpr op_row op_rows[]{
  {"input", make_input, nullptr},
  {"labels", make_labels, nullptr},
  {"to_activation", make_to_activation, cpu::make_to_activation,
   cpu::make_to_activation},
  {"conv2d", make_conv2d, cpu::make_conv2d},
  {"linear", make_linear, cpu::make_linear},
  {"batch_norm", make_batch_norm, cpu::make_batch_norm},
  {"layer_norm", make_layer_norm, cpu::make_layer_norm},
  {"local_response_norm", make_local_response_norm,
   cpu::make_local_response_norm},
  {"max_pool", make_max_pool, cpu::make_max_pool},
  {"avg_pool", make_avg_pool, cpu::make_avg_pool},
  {"global_avg_pool", make_global_avg_pool, cpu::make_global_avg_pool},
  {"adaptive_avg_pool", make_adaptive_avg_pool, cpu::make_adaptive_avg_pool},
  {"relu", make_relu, cpu::make_relu},
  {"gelu", make_gelu, cpu::make_gelu},
  {"relu6", make_relu6, cpu::make_relu6},
  {"add", make_add, cpu::make_add, cpu::make_add},
  {"dropout", make_dropout, cpu::make_dropout},
  {"identity", make_identity, cpu::make_identity, cpu::make_identity},
  {"flatten", make_flatten, cpu::make_flatten},
  {"concat", make_concat, cpu::make_concat},
  {"tokens", make_tokens, cpu::make_tokens},
  {"class_token", make_class_token, cpu::make_class_token},
  {"position_embedding", make_position_embedding, cpu::make_position_embedding},
  {"take_token", make_take_token, cpu::make_take_token},
  {"attention", make_attention, cpu::make_attention},
  {"softmax_loss", make_softmax_loss, cpu::make_softmax_loss,
   cpu::make_softmax_loss},
  {"replay", make_replay, nullptr, make_replay_kernel},
};

struct update_row {
  const char* name;
  update_factory on_cpu;
};

constexpr update_row update_rows[]{
  {"sgd", cpu::make_sgd},
  {"adam", cpu::make_adam},
  {"adamw", cpu::make_adamw},
};

} // namespace

void register_ops(registry& all) {
  for (const auto& [type, rule, on_cpu, on_replay] : op_rows) {
    std::map<device_kind, kernel_factory> kernels;
    if (on_cpu != nullptr)
      kernels.emplace(device_kind::cpu, on_cpu);
    if (on_replay != nullptr)
      kernels.emplace(device_kind::replay, on_replay);
    all.add(type, rule, std::move(kernels));
  }
  for (const auto& [name, on_cpu] : update_rows)
    for (const auto on : {device_kind::cpu, device_kind::replay})
      all.add_update(name, on, on_cpu);
}

} // namespace pd
