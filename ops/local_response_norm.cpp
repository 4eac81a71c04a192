#include "ops/local_response_norm.hpp"

#include "ops/expect.hpp"
#include "ops/rules.hpp"

namespace pd {

made_op make_local_response_norm(const attributes& settings) {
  attribute_reader read{"local_response_norm", settings};
  local_response_norm::settings as;
  as.size = read.required_integer("size", 1);
  as.alpha = read.number("alpha", as.alpha, 0, 1e6);
  as.beta = read.number("beta", as.beta, 0, 1e3);
  as.k = read.number("k", as.k, 1e-6, 1e6);
  PD_CHECK(read.finish());
  if (as.size > 4096)
    return error{errc::bad_value,
                 "local_response_norm: size: wanted at most 4096, got "
                   + std::to_string(as.size)};
  return std::unique_ptr<op>{std::make_unique<local_response_norm>(as)};
}

result<shape> local_response_norm::infer(std::span<const shape> inputs) const {
  return one_image("local_response_norm", inputs);
}

op_cost local_response_norm::cost(std::span<const shape>,
                                  const shape& output) const {
  const auto elems = static_cast<double>(output.elems());
  const auto size = static_cast<double>(as_.size);
  return {.forward_flops = (size + 6) * elems,
          .backward_input_flops = (2 * size + 12) * elems,
          .backward_weight_flops = 0};
}

} // namespace pd
