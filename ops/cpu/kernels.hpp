/// Every CPU kernel's factory, one a file of the same name:
/// ops/cpu/conv2d.cpp ...

#pragma once

#include "engine/graph/kernel.hpp"
#include "engine/graph/update.hpp"

#include <memory>

namespace pd::cpu {

using made_kernel = result<std::unique_ptr<kernel>>;
using made_update = result<std::unique_ptr<update_rule>>;

// -- what comes from outside -------------------------------------------------

[[nodiscard]] made_kernel make_to_activation(const kernel_context& context);

// -- with parameters ---------------------------------------------------------

[[nodiscard]] made_kernel make_conv2d(const kernel_context& context);
[[nodiscard]] made_kernel make_linear(const kernel_context& context);
[[nodiscard]] made_kernel make_batch_norm(const kernel_context& context);
[[nodiscard]] made_kernel make_layer_norm(const kernel_context& context);

// -- pooling -----------------------------------------------------------------

[[nodiscard]] made_kernel make_max_pool(const kernel_context& context);
[[nodiscard]] made_kernel make_avg_pool(const kernel_context& context);
[[nodiscard]] made_kernel make_global_avg_pool(const kernel_context& context);
[[nodiscard]] made_kernel make_adaptive_avg_pool(const kernel_context& context);

// -- element by element, and moves -------------------------------------------

[[nodiscard]] made_kernel make_relu(const kernel_context& context);
[[nodiscard]] made_kernel make_gelu(const kernel_context& context);
[[nodiscard]] made_kernel make_relu6(const kernel_context& context);
[[nodiscard]] made_kernel
make_local_response_norm(const kernel_context& context);
[[nodiscard]] made_kernel make_add(const kernel_context& context);
[[nodiscard]] made_kernel make_dropout(const kernel_context& context);
[[nodiscard]] made_kernel make_identity(const kernel_context& context);
[[nodiscard]] made_kernel make_flatten(const kernel_context& context);
[[nodiscard]] made_kernel make_concat(const kernel_context& context);

// -- tokens ------------------------------------------------------------------

[[nodiscard]] made_kernel make_tokens(const kernel_context& context);
[[nodiscard]] made_kernel make_class_token(const kernel_context& context);
[[nodiscard]] made_kernel
make_position_embedding(const kernel_context& context);
[[nodiscard]] made_kernel make_take_token(const kernel_context& context);
[[nodiscard]] made_kernel make_attention(const kernel_context& context);

// -- the loss ----------------------------------------------------------------

[[nodiscard]] made_kernel make_softmax_loss(const kernel_context& context);

// -- optimizers --------------------------------------------------------------

[[nodiscard]] made_update make_sgd(const optimizer_settings& settings);
[[nodiscard]] made_update make_adam(const optimizer_settings& settings);
[[nodiscard]] made_update make_adamw(const optimizer_settings& settings);

} // namespace pd::cpu
