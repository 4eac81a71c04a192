/// flatten and to_activation: moves between layouts, no arithmetic but the
/// change of precision at a border.

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"

#include <algorithm>

namespace pd::cpu {

namespace {

/// One channel of one image.
template <class From, class To>
void move_pixels(const From* from, std::int64_t from_step, To* to,
                 std::int64_t to_step, std::int64_t pixels) {
  for (std::int64_t i = 0; i < pixels; ++i)
    to[i * to_step] = To(static_cast<float>(from[i * from_step]));
}

/// Both see the same images, channels and pixels. Channel padding is left.
template <class From, class To>
void move_channels(const channel_view& from_view, const From* from,
                   const channel_view& to_view, To* to) {
#pragma omp parallel for collapse(2)
  for (std::int64_t n = 0; n < from_view.images; ++n)
    for (std::int64_t c = 0; c < from_view.channels; ++c)
      move_pixels(from + from_view.at(n, c, 0), from_view.pixel_step,
                  to + to_view.at(n, c, 0), to_view.pixel_step,
                  from_view.pixels);
}

/// Zeroes the channels that pad the last block.
template <class T>
void zero_padding(const channel_view& view, T* x) {
  for (std::int64_t n = 0; n < view.images; ++n)
    for (auto c = view.channels; c < view.padded_channels(); ++c)
      for (std::int64_t i = 0; i < view.pixels; ++i)
        x[view.at(n, c, i)] = T{};
}

/// The same elements in another layout or precision: flatten, to_activation.
class reorder_kernel final : public kernel {
public:
  explicit reorder_kernel(const kernel_context& context)
    : input_{context.inputs[0]},
      output_{context.output},
      input_view_{channel_view::of(input_)},
      output_view_{viewed_as_image(output_, input_)} {}

  [[nodiscard]] kernel_needs needs() const override { return {}; }

  void forward(const forward_call& call) override {
    move(input_.type, input_view_, call.inputs[0], output_.type, output_view_,
         call.output);
  }
  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      move(output_.type, output_view_, call.output_grad, input_.type,
           input_view_, call.input_grads[0]);
  }

private:
  /// A flattened image is a plain one.
  static channel_view viewed_as_image(const tensor_type& output,
                                      const tensor_type& input) {
    auto type = output;
    type.extents = input.extents;
    return channel_view::of(type);
  }

  static void move(dtype from_type, const channel_view& from_view, operand from,
                   dtype to_type, const channel_view& to_view, operand to) {
    with_type(from_type, [&]<class From>(From*) {
      with_type(to_type, [&]<class To>(To*) {
        move_channels(from_view, from.as<From>(), to_view, to.as<To>());
        zero_padding(to_view, to.as<To>());
      });
    });
  }

  tensor_type input_;
  tensor_type output_;
  channel_view input_view_;
  channel_view output_view_;
};

} // namespace

made_kernel make_flatten(const kernel_context& context) {
  return std::unique_ptr<kernel>{std::make_unique<reorder_kernel>(context)};
}

made_kernel make_to_activation(const kernel_context& context) {
  return std::unique_ptr<kernel>{std::make_unique<reorder_kernel>(context)};
}

} // namespace pd::cpu
