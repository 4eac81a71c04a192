#include "ops/batch_norm.hpp"

#include "ops/rules.hpp"

namespace pd {

made_op make_batch_norm(const attributes& settings) {
  attribute_reader read{"batch_norm", settings};
  batch_norm::settings as;
  as.eps = read.number("eps", as.eps, 1e-12, 1);
  as.momentum = read.number("momentum", as.momentum, 0, 1);
  as.relu = read.flag("relu", false);
  as.relu6 = read.flag("relu6", false);
  PD_CHECK(read.finish());
  if (as.relu && as.relu6)
    return error{errc::bad_value,
                 "batch_norm: relu6: wanted false beside relu = true"};
  return std::unique_ptr<op>{std::make_unique<batch_norm>(as)};
}

result<shape> batch_norm::infer(std::span<const shape> inputs) const {
  if (inputs.empty() || inputs.size() > 2)
    return error{errc::bad_shape, "batch_norm: takes 1 or 2 inputs, got "
                                    + std::to_string(inputs.size())};
  const auto& x = inputs[0];
  if (x.rank() != 4 && x.rank() != 2)
    return error{errc::bad_shape,
                 "batch_norm: wanted an input [N, C, H, W] or [N, C], got "
                   + to_string(x)};
  if (inputs.size() == 2 && inputs[1] != x)
    return error{errc::bad_shape, "batch_norm: wanted a second input "
                                    + to_string(x) + " like the first, got "
                                    + to_string(inputs[1])};
  return x;
}

std::vector<parameter>
batch_norm::parameters(std::span<const shape> inputs) const {
  const shape channels{inputs[0][1]};
  const initializer zero{initializer::kind::constant, 0, 0};
  const initializer one{initializer::kind::constant, 1, 0};
  return {{"weight", channels, one},
          {"bias", channels, zero},
          {"running_mean", channels, zero, false},
          {"running_var", channels, one, false},
          {"num_batches_tracked", {}, zero, false, dtype::i64}};
}

op_cost batch_norm::cost(std::span<const shape> inputs,
                         const shape& output) const {
  const auto elems = static_cast<double>(output.elems());
  const auto summands = static_cast<double>(inputs.size() - 1);
  return {.forward_flops = (7 + summands) * elems,
          .backward_input_flops = 9 * elems,
          .backward_weight_flops = 0};
}

} // namespace pd
