/// Every op's factory, one a file of the same name: ops/conv2d.cpp ...

#pragma once

#include "engine/base/error.hpp"
#include "engine/graph/attributes.hpp"
#include "engine/graph/op.hpp"

#include <memory>

namespace pd {

using made_op = result<std::unique_ptr<op>>;

// -- what comes from outside -------------------------------------------------

[[nodiscard]] made_op make_input(const attributes& settings);
[[nodiscard]] made_op make_labels(const attributes& settings);
[[nodiscard]] made_op make_to_activation(const attributes& settings);

// -- of a rehearsal ----------------------------------------------------------

[[nodiscard]] made_op make_replay(const attributes& settings);

// -- with parameters ---------------------------------------------------------

[[nodiscard]] made_op make_conv2d(const attributes& settings);
[[nodiscard]] made_op make_linear(const attributes& settings);
[[nodiscard]] made_op make_batch_norm(const attributes& settings);
[[nodiscard]] made_op make_layer_norm(const attributes& settings);

// -- pooling -----------------------------------------------------------------

[[nodiscard]] made_op make_max_pool(const attributes& settings);
[[nodiscard]] made_op make_avg_pool(const attributes& settings);
[[nodiscard]] made_op make_global_avg_pool(const attributes& settings);
[[nodiscard]] made_op make_adaptive_avg_pool(const attributes& settings);

// -- element by element, and moves -------------------------------------------

[[nodiscard]] made_op make_relu(const attributes& settings);
[[nodiscard]] made_op make_gelu(const attributes& settings);
[[nodiscard]] made_op make_relu6(const attributes& settings);
[[nodiscard]] made_op make_local_response_norm(const attributes& settings);
[[nodiscard]] made_op make_add(const attributes& settings);
[[nodiscard]] made_op make_dropout(const attributes& settings);
[[nodiscard]] made_op make_identity(const attributes& settings);
[[nodiscard]] made_op make_flatten(const attributes& settings);
[[nodiscard]] made_op make_concat(const attributes& settings);

// -- tokens ------------------------------------------------------------------

[[nodiscard]] made_op make_tokens(const attributes& settings);
[[nodiscard]] made_op make_class_token(const attributes& settings);
[[nodiscard]] made_op make_position_embedding(const attributes& settings);
[[nodiscard]] made_op make_take_token(const attributes& settings);
[[nodiscard]] made_op make_attention(const attributes& settings);

// -- the loss ----------------------------------------------------------------

[[nodiscard]] made_op make_softmax_loss(const attributes& settings);

} // namespace pd
