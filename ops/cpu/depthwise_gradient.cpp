#include "ops/cpu/depthwise_gradient.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/lanes.hpp"

#include <algorithm>

namespace pd::cpu {

namespace {

/// One image and channel block: rows of lanes, a step apart.
template <class T>
struct plane {
  const T* first;
  std::int64_t height, width, step;

  [[nodiscard]] const T* row(std::int64_t h) const {
    return first + h * width * step;
  }
};

/// How outputs along an axis come from inputs.
struct axis_taps {
  std::int64_t stride, padding;

  [[nodiscard]] std::int64_t input(std::int64_t output,
                                   std::int64_t tap) const {
    return output * stride - padding + tap;
  }
  /// The outputs [first, end) all of whose `taps` lie inside.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t>
  inner(std::int64_t outputs, std::int64_t inputs, std::int64_t taps) const {
    const auto first = std::min((padding + stride - 1) / stride, outputs);
    const auto room = inputs + padding - taps;
    const auto end = room < 0 ? 0 : room / stride + 1;
    return {first, std::clamp(end, first, outputs)};
  }
};

/// The sums of one row of the kernel.
template <int B, int Width>
struct tap_sums {
  lanes<B> at[Width] = {};
};

template <class T, int B, int Width, bool Inner>
PD_INLINE void add_pixels(const T* x, std::int64_t width, const T* dy,
                          std::pair<std::int64_t, std::int64_t> outputs,
                          axis_taps by, std::int64_t steps[2],
                          tap_sums<B, Width>& sums) {
  for (auto o = outputs.first; o < outputs.second; ++o) {
    const auto g = load<B>(dy + o * steps[1]);
    const auto first = by.input(o, 0);
    for (int k = 0; k < Width; ++k)
      if (Inner || (first + k >= 0 && first + k < width))
        sums.at[k] = sums.at[k] + load<B>(x + (first + k) * steps[0]) * g;
  }
}

/// One image's share of row `tap` of the kernel.
template <class T, int B, int Width>
PD_INLINE void add_plane(const plane<T>& x, const plane<T>& dy,
                         std::int64_t tap, axis_taps down, axis_taps across,
                         tap_sums<B, Width>& sums) {
  std::int64_t steps[2]{x.step, dy.step};
  const auto [first, end] = across.inner(dy.width, x.width, Width);
  for (std::int64_t h = 0; h < dy.height; ++h) {
    const auto from = down.input(h, tap);
    if (from < 0 || from >= x.height)
      continue;
    const auto* row = x.row(from);
    const auto* grad = dy.row(h);
    add_pixels<T, B, Width, false>(row, x.width, grad, {0, first}, across,
                                   steps, sums);
    add_pixels<T, B, Width, true>(row, x.width, grad, {first, end}, across,
                                  steps, sums);
    add_pixels<T, B, Width, false>(row, x.width, grad, {end, dy.width}, across,
                                   steps, sums);
  }
}

bool is_stored_by(std::int64_t lanes, const conv2d_form& form,
                  const dnnl::memory::desc& weights) {
  using tag = dnnl::memory::format_tag;
  const auto wanted = lanes == 16 ? tag::Abcde16a : tag::Abcde8a;
  return weights
         == dnnl::memory::desc{form.weights, weights.data_type(), wanted};
}

bool is_depthwise(const conv2d_form& form) {
  return form.form_groups > 1 && form.form_inputs == 1
         && form.form_outputs == 1;
}

} // namespace

depthwise_gradient::depthwise_gradient(const conv2d_form& form,
                                       const tensor_type& input,
                                       const tensor_type& output,
                                       std::int64_t lanes)
  : input_{input},
    output_{output},
    lanes_{lanes},
    kernel_height_{form.weights[3]},
    kernel_width_{form.weights[4]},
    stride_{form.strides[0], form.strides[1]},
    padding_{form.padding[0], form.padding[1]} {}

std::optional<depthwise_gradient>
depthwise_gradient::make(const conv2d_form& form, const tensor_type& input,
                         const tensor_type& output,
                         const dnnl::memory::desc& weights) {
  const auto lanes = std::min<std::int64_t>(row_lanes(output), 16);
  if (!is_depthwise(form) || lanes < 8 || input.order != output.order)
    return std::nullopt;
  const auto width = form.weights[4];
  const bool is_dense = form.dilations[0] == 0 && form.dilations[1] == 0;
  if (!is_dense || (width != 5 && width != 7)
      || !is_stored_by(lanes, form, weights))
    return std::nullopt;
  return depthwise_gradient{form, input, output, lanes};
}

template <class T, int B>
void depthwise_gradient::run_rows(const T* x, const T* dy, float* dw,
                                  bool adds) const {
  const auto from = channel_view::of(input_);
  const auto to = channel_view::of(output_);
  const axis_taps down{stride_[0], padding_[0]};
  const axis_taps across{stride_[1], padding_[1]};
  const auto row_of_kernel = [&]<int Width>(std::int64_t block,
                                            std::int64_t tap) {
    auto* sum = dw + (block * kernel_height_ + tap) * Width * B;
    if (!adds)
      std::fill_n(sum, Width * B, 0.0F);
    for (std::int64_t n = 0; n < to.images; ++n) {
      tap_sums<B, Width> own;
      add_plane<T, B, Width>({x + from.at(n, block * B, 0), input_.extents[2],
                              input_.extents[3], from.pixel_step},
                             {dy + to.at(n, block * B, 0), output_.extents[2],
                              output_.extents[3], to.pixel_step},
                             tap, down, across, own);
      for (int k = 0; k < Width; ++k)
        store<B>(sum + k * B, load<B>(sum + k * B) + own.at[k]);
    }
  };
#pragma omp parallel for collapse(2) schedule(static)
  for (std::int64_t block = 0; block < to.padded_channels() / B; ++block)
    for (std::int64_t tap = 0; tap < kernel_height_; ++tap)
      if (kernel_width_ == 5)
        row_of_kernel.template operator()<5>(block, tap);
      else
        row_of_kernel.template operator()<7>(block, tap);
}

void depthwise_gradient::run(const void* x, const void* dy, float* dw,
                             bool adds) const {
  with_type(output_.type, [&]<class T>(T*) {
    const auto* from = static_cast<const T*>(x);
    const auto* grad = static_cast<const T*>(dy);
    if (lanes_ == 16)
      run_rows<T, 16>(from, grad, dw, adds);
    else
      run_rows<T, 8>(from, grad, dw, adds);
  });
}

} // namespace pd::cpu
