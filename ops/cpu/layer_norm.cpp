/// layer_norm: a row stays in the cache from its mean to its last element.
///
/// Not oneDNN's: that has no gradient of the parameters alone, which a schedule
/// with halves apart needs, and none in bf16 without AVX-512.

#include "ops/layer_norm.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"

#include <algorithm>
#include <cmath>

namespace pd::cpu {

namespace {

constexpr int at_once = 16;

/// Calls f(width, i) for the elements of a row: sixteen, then one by one.
/// width: a std::integral_constant
template <class F>
PD_INLINE void for_row(std::int64_t features, F&& f) {
  const auto whole = features / at_once * at_once;
  for (std::int64_t i = 0; i < whole; i += at_once)
    f(std::integral_constant<int, at_once>{}, i);
  for (auto i = whole; i < features; ++i)
    f(std::integral_constant<int, 1>{}, i);
}

/// A sum along a row, in an order of its own.
struct row_sum {
  lanes<at_once> wide{};
  float rest = 0;

  PD_INLINE void add(const lanes<at_once>& x) { wide = wide + x; }
  PD_INLINE void add(const lanes<1>& x) { rest += x.at[0]; }
  [[nodiscard]] float total() const {
    float all[at_once];
    store<at_once>(all, wide);
    for (int step = at_once / 2; step > 0; step /= 2)
      for (int i = 0; i < step; ++i)
        all[i] += all[i + step];
    return all[0] + rest;
  }
};

/// What the workspace holds of a row.
struct row_statistics {
  float mean = 0;
  float factor = 0; ///< 1 / sqrt(variance + eps)
};

template <class T>
row_statistics statistics_of(const T* x, std::int64_t features, float eps) {
  const auto n = static_cast<float>(features);
  row_sum sum;
  for_row(features, [&]<int W>(std::integral_constant<int, W>, auto i) {
    sum.add(load<W>(x + i));
  });
  const auto mean = sum.total() / n;
  row_sum squares;
  for_row(features, [&]<int W>(std::integral_constant<int, W>, auto i) {
    const auto off = load<W>(x + i) - splat<W>(mean);
    squares.add(off * off);
  });
  return {mean, 1 / std::sqrt(squares.total() / n + eps)};
}

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
class layer_norm_kernel final : public kernel {
public:
  layer_norm_kernel(const tensor_type& type, double eps)
    : type_{type.type},
      features_{type.extents[type.extents.rank() - 1]},
      rows_{type.extents.elems() / features_},
      eps_{static_cast<float>(eps)} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.stashes_input = true,
            .workspace_bytes =
              rows_ * static_cast<std::int64_t>(sizeof(row_statistics))};
  }

  void forward(const forward_call& call) override {
    with_type(type_, [&]<class T>(T*) { forward<T>(call); });
  }
  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      with_type(type_, [&]<class T>(T*) { backward_input<T>(call); });
  }
  void backward_weight(const backward_call& call) override {
    with_type(type_, [&]<class T>(T*) { backward_weight<T>(call); });
  }

private:
  template <class T>
  void forward(const forward_call& call) const;
  template <class T>
  void backward_input(const backward_call& call) const;
  template <class T>
  void backward_weight(const backward_call& call) const;
  template <class T>
  void row_gradient(const T* x, const T* dy, const float* w, T* dx,
                    const row_statistics& of) const;
  template <int W, class T>
  void column_gradients(const backward_call& call, std::int64_t first) const;

  dtype type_;
  std::int64_t features_;
  std::int64_t rows_;
  float eps_;
};

template <class T>
void layer_norm_kernel::forward(const forward_call& call) const {
  const auto* weight = call.parameters[0].f32();
  const auto* bias = call.parameters[1].f32();
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < rows_; ++r) {
    const auto* x = call.inputs[0].as<T>() + r * features_;
    auto* y = call.output.as<T>() + r * features_;
    const auto of = statistics_of(x, features_, eps_);
    for_row(features_, [&]<int W>(std::integral_constant<int, W>, auto i) {
      const auto off = load<W>(x + i) - splat<W>(of.mean);
      store<W>(y + i, off * splat<W>(of.factor) * load<W>(weight + i)
                        + load<W>(bias + i));
    });
    call.workspace.as<row_statistics>()[r] = of;
  }
}

/// With g = w dy and z the normalized x, dx is g without its mean and without
/// its part along z.
template <class T>
void layer_norm_kernel::row_gradient(const T* x, const T* dy, const float* w,
                                     T* dx, const row_statistics& of) const {
  row_sum grads;
  row_sum along;
  const auto normalized = [&]<int W>(std::integral_constant<int, W>, auto i) {
    return (load<W>(x + i) - splat<W>(of.mean)) * splat<W>(of.factor);
  };
  for_row(features_, [&]<int W>(std::integral_constant<int, W> width, auto i) {
    const auto g = load<W>(w + i) * load<W>(dy + i);
    grads.add(g);
    along.add(g * normalized(width, i));
  });
  const auto n = static_cast<float>(features_);
  const auto mean = grads.total() / n;
  const auto part = along.total() / n;
  for_row(features_, [&]<int W>(std::integral_constant<int, W> width, auto i) {
    const auto g = load<W>(w + i) * load<W>(dy + i);
    const auto off = g - splat<W>(mean) - normalized(width, i) * splat<W>(part);
    store<W>(dx + i, off * splat<W>(of.factor));
  });
}

template <class T>
void layer_norm_kernel::backward_input(const backward_call& call) const {
#pragma omp parallel for schedule(static)
  for (std::int64_t r = 0; r < rows_; ++r)
    row_gradient(call.inputs[0].as<T>() + r * features_,
                 call.output_grad.as<T>() + r * features_,
                 call.parameters[0].f32(),
                 call.input_grads[0].as<T>() + r * features_,
                 call.workspace.as<row_statistics>()[r]);
}

/// Of W features, over all rows in their order: so no sum depends on threads.
template <int W, class T>
void layer_norm_kernel::column_gradients(const backward_call& call,
                                         std::int64_t first) const {
  const auto* x = call.inputs[0].as<T>() + first;
  const auto* dy = call.output_grad.as<T>() + first;
  const auto* of = call.workspace.as<row_statistics>();
  auto weight = splat<W>(0);
  auto bias = splat<W>(0);
  for (std::int64_t r = 0; r < rows_; ++r) {
    const auto g = load<W>(dy + r * features_);
    const auto off = load<W>(x + r * features_) - splat<W>(of[r].mean);
    weight = weight + g * off * splat<W>(of[r].factor);
    bias = bias + g;
  }
  auto* dw = call.parameter_grads[0].f32() + first;
  auto* db = call.parameter_grads[1].f32() + first;
  store<W>(dw, call.accumulate ? load<W>(dw) + weight : weight);
  store<W>(db, call.accumulate ? load<W>(db) + bias : bias);
}

template <class T>
void layer_norm_kernel::backward_weight(const backward_call& call) const {
  constexpr int wide = 4 * at_once;
  const auto whole = features_ / wide * wide;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < whole; i += wide)
    column_gradients<wide, T>(call, i);
  for (auto i = whole; i < features_; ++i)
    column_gradients<1, T>(call, i);
}

} // namespace

made_kernel make_layer_norm(const kernel_context& context) {
  const auto eps = dynamic_cast<const layer_norm&>(context.rule).eps();
  return std::unique_ptr<kernel>{
    std::make_unique<layer_norm_kernel>(context.output, eps)};
}

} // namespace pd::cpu
