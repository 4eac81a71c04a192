/// tokens, class_token, position_embedding and take_token: moves, and sums over
/// the samples for what was learned.

#include "ops/tokens.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/column_sum.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"

#include <algorithm>

namespace pd::cpu {

namespace {

/// A pixel's channels lie together in blocks; a token's lie all together.
class tokens_kernel final : public kernel {
public:
  explicit tokens_kernel(const tensor_type& image)
    : type_{image.type}, view_{channel_view::of(image)} {}

  void forward(const forward_call& call) override {
    with_type(type_, [&]<class T>(T*) {
      const auto* x = call.inputs[0].as<T>();
      auto* y = call.output.as<T>();
      for_blocks([&](std::int64_t row, std::int64_t token, std::int64_t count) {
        std::copy_n(x + row, count, y + token);
      });
    });
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      with_type(type_, [&]<class T>(T*) {
        const auto* dy = call.output_grad.as<T>();
        auto* dx = call.input_grads[0].as<T>();
        for_blocks(
          [&](std::int64_t row, std::int64_t token, std::int64_t count) {
            const auto* from = dy + token;
            std::fill(std::copy_n(from, count, dx + row),
                      dx + row + view_.lanes, T{});
          });
      });
  }

private:
  /// Calls f(element of the image, element of the token, channels) a block.
  template <class F>
  void for_blocks(F&& f) const {
    const auto& v = view_;
#pragma omp parallel for collapse(2) schedule(static)
    for (std::int64_t n = 0; n < v.images; ++n)
      for (std::int64_t pixel = 0; pixel < v.pixels; ++pixel)
        for (std::int64_t block = 0; block < v.blocks; ++block) {
          const auto first = block * v.lanes;
          f(v.row_at(n, block, pixel),
            (n * v.pixels + pixel) * v.channels + first,
            std::min(v.lanes, v.channels - first));
        }
  }

  dtype type_;
  channel_view view_;
};

/// Moves a part of each sample; steps from sample to sample, in elements.
template <class T>
void copy_rows(const T* from, std::int64_t from_step, T* to,
               std::int64_t to_step, std::int64_t samples, std::int64_t elems) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < samples; ++n)
    std::copy_n(from + n * from_step, elems, to + n * to_step);
}

class class_token_kernel final : public kernel {
public:
  explicit class_token_kernel(const tensor_type& x)
    : type_{x.type},
      samples_{x.extents[0]},
      features_{x.extents[2]},
      elems_{x.extents[1] * x.extents[2]} {}

  void forward(const forward_call& call) override {
    with_type(type_, [&]<class T>(T*) {
      const auto* token = call.parameters[0].f32();
      auto* y = call.output.as<T>();
      copy_rows(call.inputs[0].as<T>(), elems_, y + features_,
                elems_ + features_, samples_, elems_);
      for (std::int64_t n = 0; n < samples_; ++n)
        std::transform(token, token + features_, y + n * (elems_ + features_),
                       [](float each) { return T(each); });
    });
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      with_type(type_, [&]<class T>(T*) {
        copy_rows(call.output_grad.as<T>() + features_, elems_ + features_,
                  call.input_grads[0].as<T>(), elems_, samples_, elems_);
      });
  }

  void backward_weight(const backward_call& call) override {
    const row_span rows{samples_, features_, elems_ + features_};
    with_type(type_, [&]<class T>(T*) {
      sum_rows(call.output_grad.as<T>(), rows, call.parameter_grads[0].f32(),
               call.accumulate);
    });
  }

private:
  dtype type_;
  std::int64_t samples_;
  std::int64_t features_;
  std::int64_t elems_; ///< of a sample's input
};

class position_embedding_kernel final : public kernel {
public:
  explicit position_embedding_kernel(const tensor_type& x)
    : type_{x}, samples_{x.extents[0]}, elems_{x.elems() / x.extents[0]} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.forward_in_place = true, .backward_in_place = 0};
  }

  void forward(const forward_call& call) override {
    const auto* added = call.parameters[0].f32();
    with_type(type_.type, [&]<class T>(T*) {
      const auto* x = call.inputs[0].as<T>();
      auto* y = call.output.as<T>();
#pragma omp parallel for simd collapse(2) schedule(static)
      for (std::int64_t n = 0; n < samples_; ++n)
        for (std::int64_t i = 0; i < elems_; ++i)
          y[n * elems_ + i] =
            T(static_cast<float>(x[n * elems_ + i]) + added[i]);
    });
  }

  void backward_input(const backward_call& call) override {
    const auto* dy = call.output_grad.data();
    auto* dx = call.input_grads[0].data();
    if (dx != nullptr && dx != dy)
      convert(type_.type, dy, type_.type, dx, type_.elems());
  }

  void backward_weight(const backward_call& call) override {
    const row_span rows{samples_, elems_, elems_};
    with_type(type_.type, [&]<class T>(T*) {
      sum_rows(call.output_grad.as<T>(), rows, call.parameter_grads[0].f32(),
               call.accumulate);
    });
  }

private:
  tensor_type type_;
  std::int64_t samples_;
  std::int64_t elems_; ///< of a sample
};

class take_token_kernel final : public kernel {
public:
  take_token_kernel(const tensor_type& x, std::int64_t index)
    : type_{x},
      samples_{x.extents[0]},
      step_{x.extents[1] * x.extents[2]},
      features_{x.extents[2]},
      first_{index * features_} {}

  void forward(const forward_call& call) override {
    with_type(type_.type, [&]<class T>(T*) {
      copy_rows(call.inputs[0].as<T>() + first_, step_, call.output.as<T>(),
                features_, samples_, features_);
    });
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      with_type(type_.type, [&]<class T>(T*) {
        auto* dx = call.input_grads[0].as<T>();
        std::fill_n(dx, type_.elems(), T{});
        copy_rows(call.output_grad.as<T>(), features_, dx + first_, step_,
                  samples_, features_);
      });
  }

private:
  tensor_type type_;
  std::int64_t samples_;
  std::int64_t step_; ///< elements of a sample
  std::int64_t features_;
  std::int64_t first_; ///< where the token is in a sample
};

} // namespace

made_kernel make_tokens(const kernel_context& context) {
  return std::unique_ptr<kernel>{
    std::make_unique<tokens_kernel>(context.inputs[0])};
}

made_kernel make_class_token(const kernel_context& context) {
  return std::unique_ptr<kernel>{
    std::make_unique<class_token_kernel>(context.inputs[0])};
}

made_kernel make_position_embedding(const kernel_context& context) {
  return std::unique_ptr<kernel>{
    std::make_unique<position_embedding_kernel>(context.inputs[0])};
}

made_kernel make_take_token(const kernel_context& context) {
  const auto index = dynamic_cast<const take_token&>(context.rule).index();
  return std::unique_ptr<kernel>{
    std::make_unique<take_token_kernel>(context.inputs[0], index)};
}

} // namespace pd::cpu
