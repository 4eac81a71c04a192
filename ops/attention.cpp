#include "ops/attention.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

namespace pd {

made_op make_attention(const attributes& settings) {
  attribute_reader read{"attention", settings};
  const auto heads = read.required_integer("heads", 1);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<attention>(heads)};
}

result<shape> attention::infer(std::span<const shape> inputs) const {
  PD_TRY(auto made, one_of_tokens("attention", inputs));
  if (made[2] % (3 * heads_) != 0)
    return error{errc::bad_shape,
                 "attention: input has C = " + std::to_string(made[2])
                   + ", not divisible by 3 heads = "
                   + std::to_string(3 * heads_)};
  made[2] /= 3;
  return made;
}

// A product costs two operations a number, and there are two of them forward;
// backward has four, and makes the first one again.
op_cost attention::cost(std::span<const shape>, const shape& output) const {
  const double product =
    2.0 * static_cast<double>(output.elems()) * static_cast<double>(output[1]);
  return {2 * product, 5 * product, 0};
}

} // namespace pd
