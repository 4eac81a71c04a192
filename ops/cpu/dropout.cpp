#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/elementwise.hpp"

namespace pd::cpu {

namespace {

/// The workspace holds a byte an element: whether it stays.
class dropout_kernel final : public kernel {
public:
  dropout_kernel(const kernel_context& from, double p)
    : type_{from.output},
      view_{channel_view::of(from.output)},
      seed_{from.seed},
      name_{from.at.name},
      p_{static_cast<float>(p)},
      scale_{static_cast<float>(1 / (1 - p))} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.workspace_bytes = type_.elems(),
            .forward_in_place = true,
            .backward_in_place = 0};
  }

  void forward(const forward_call& call) override {
    if (!call.is_training) {
      convert(type_.type, call.inputs[0].data(), type_.type, call.output.data(),
              type_.elems());
      return;
    }
    draw(make_random_key(seed_, name_,
                         static_cast<std::uint64_t>(call.microbatch)),
         call.workspace.as<std::uint8_t>());
    apply(call.inputs[0], call.workspace, call.output);
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      apply(call.output_grad, call.workspace, call.input_grads[0]);
  }

private:
  void draw(random_key key, std::uint8_t* stays) const {
#pragma omp parallel for collapse(2)
    for (std::int64_t n = 0; n < view_.images; ++n)
      for (std::int64_t c = 0; c < view_.padded_channels(); ++c)
        for (std::int64_t i = 0; i < view_.pixels; ++i)
          stays[view_.at(n, c, i)] =
            c < view_.channels
            && uniform(key, static_cast<std::uint64_t>(view_.plain(n, c, i)))
                 >= p_;
  }

  void apply(operand from, operand mask, operand to) const {
    with_type(type_.type, [&]<class T>(T*) {
      const auto* x = from.as<T>();
      const auto* stays = mask.as<std::uint8_t>();
      auto* y = to.as<T>();
#pragma omp parallel for simd
      for (std::int64_t i = 0; i < type_.elems(); ++i)
        y[i] = stays[i] != 0 ? T(static_cast<float>(x[i]) * scale_) : T{};
    });
  }

  tensor_type type_;
  channel_view view_;
  std::uint64_t seed_;
  std::string name_;
  float p_;
  float scale_;
};

} // namespace

made_kernel make_dropout(const kernel_context& context) {
  const auto p = dynamic_cast<const dropout&>(context.rule).p();
  return std::unique_ptr<kernel>{std::make_unique<dropout_kernel>(context, p)};
}

} // namespace pd::cpu
