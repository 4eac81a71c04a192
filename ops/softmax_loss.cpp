#include "ops/softmax_loss.hpp"

#include "ops/rules.hpp"

namespace pd {

result<shape> softmax_loss::infer(std::span<const shape> inputs) const {
  if (inputs.size() != 2)
    return error{errc::bad_shape,
                 "softmax_loss: takes 2 inputs, logits and labels, got "
                   + std::to_string(inputs.size())};
  if (inputs[0].rank() != 2)
    return error{errc::bad_shape, "softmax_loss: wanted logits [N, K], got "
                                    + to_string(inputs[0])};
  if (inputs[1] != shape{inputs[0][0]})
    return error{errc::bad_shape, "softmax_loss: wanted labels "
                                    + to_string(shape{inputs[0][0]}) + ", got "
                                    + to_string(inputs[1])};
  return shape{3};
}

made_op make_softmax_loss(const attributes& settings) {
  attribute_reader read{"softmax_loss", settings};
  const auto smoothing = read.number("label_smoothing", 0, 0, 1);
  const auto weight = read.number("weight", 1, 0, 1e6);
  read.flag("auxiliary", false); // the graph's to know
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<softmax_loss>(smoothing, weight)};
}

} // namespace pd
