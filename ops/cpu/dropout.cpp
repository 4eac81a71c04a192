#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/elementwise.hpp"

#include <algorithm>

namespace pd::cpu {

namespace {

constexpr std::int64_t drawn_at_once = 4096; // whole fours: words of Philox

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
  /// What pads the last block is zero whatever the mask says.
  void draw(random_key key, std::uint8_t* stays) const {
    const auto elems = view_.images * view_.channels * view_.pixels;
#pragma omp parallel for schedule(static)
    for (std::int64_t first = 0; first < elems; first += drawn_at_once) {
      const auto end = std::min(first + drawn_at_once, elems);
      if (view_.pixel_step == 1)
        draw(key, first, end,
             [&](std::int64_t i, bool stay) { stays[i] = stay ? 1 : 0; });
      else
        draw_blocked(key, first, end, stays);
    }
  }

  /// Calls put(i, stays) for the elements [first, end) of the plain order.
  template <class F>
  void draw(random_key key, std::int64_t first, std::int64_t end,
            F&& put) const {
    for (auto i = first; i < end; i += 4) {
      const auto words = philox(key, static_cast<std::uint64_t>(i) / 4);
      for (std::int64_t k = 0; k < std::min(end - i, std::int64_t{4}); ++k)
        put(i + k, to_uniform(words[static_cast<std::size_t>(k)]) >= p_);
    }
  }

  void draw_blocked(random_key key, std::int64_t first, std::int64_t end,
                    std::uint8_t* stays) const {
    auto plane = first / view_.pixels;
    auto pixel = first % view_.pixels;
    const auto place = [&] {
      return stays
             + view_.at(plane / view_.channels, plane % view_.channels, pixel);
    };
    auto* to = place();
    draw(key, first, end, [&](std::int64_t, bool stay) {
      if (pixel == view_.pixels) {
        ++plane;
        pixel = 0;
        to = place();
      }
      *to = stay ? 1 : 0;
      to += view_.pixel_step;
      ++pixel;
    });
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
