#include "ops/replay.hpp"

#include "engine/device/replay_device.hpp"
#include "engine/graph/kernel.hpp"
#include "ops/replay_kernel.hpp"
#include "ops/rules.hpp"

#include <algorithm>

namespace pd {

made_op make_replay(const attributes& settings) {
  constexpr double most_us = 1e12;
  attribute_reader read{"replay", settings};
  replay::settings as;
  as.elems = read.required_integer("elems", 1);
  as.parameter_elems = read.integer("parameter_elems", 0, 0);
  as.forward_us = read.number("forward_us", 0, 0, most_us);
  as.backward_input_us = read.number("backward_input_us", 0, 0, most_us);
  as.backward_weight_us = read.number("backward_weight_us", 0, 0, most_us);
  as.is_zero = read.flag("is_zero", false);
  PD_CHECK(read.finish());
  return std::unique_ptr<op>{std::make_unique<replay>(as)};
}

result<shape> replay::infer(std::span<const shape> inputs) const {
  if (inputs.empty())
    return error{errc::bad_shape, "replay: wanted an input, got none"};
  return shape{inputs[0][0], as_.elems};
}

std::vector<parameter> replay::parameters(std::span<const shape>) const {
  if (as_.parameter_elems == 0)
    return {};
  return {{"weight", shape{as_.parameter_elems}, {}}};
}

namespace {

class replay_kernel final : public kernel {
public:
  replay_kernel(const replay::settings& as, std::int64_t output_bytes)
    : as_{as}, output_bytes_{output_bytes} {}

  void forward(const forward_call& call) override {
    replay_stream::spend(as_.forward_us);
    if (as_.is_zero)
      std::fill_n(call.output.as<std::byte>(), output_bytes_, std::byte{0});
  }

  void backward_input(const backward_call&) override {
    replay_stream::spend(as_.backward_input_us);
  }

  void backward_weight(const backward_call& call) override {
    replay_stream::spend(as_.backward_weight_us);
    if (as_.parameter_elems > 0 && !call.accumulate)
      std::fill_n(call.parameter_grads[0].f32(), as_.parameter_elems, 0.0F);
  }

private:
  replay::settings as_;
  std::int64_t output_bytes_;
};

} // namespace

result<std::unique_ptr<kernel>>
make_replay_kernel(const kernel_context& context) {
  const auto& rule = dynamic_cast<const replay&>(context.rule);
  return std::unique_ptr<kernel>{
    std::make_unique<replay_kernel>(rule.as(), context.output.bytes())};
}

} // namespace pd
