/// relu, relu6, add, identity: one pass each, in place where the plan allows
/// it. Padding is zero and stays so, since each of them takes zeros to zero.

#include "ops/elementwise.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"

#include <algorithm>

namespace pd::cpu {

namespace {

/// y[i] = f(x[i]...), eight elements at once; f takes lanes.
template <class T, class F, class... Xs>
void map(std::int64_t elems, T* y, F&& f, const Xs*... x) {
  constexpr int at_once = 8;
  const auto whole = elems / at_once * at_once;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < whole; i += at_once)
    store<at_once>(y + i, f(load<at_once>(x + i)...));
  for (auto i = whole; i < elems; ++i)
    store<1>(y + i, f(load<1>(x + i)...));
}

template <class T>
void relu_into(const T* x, T* y, std::int64_t elems) {
  map(
    elems, y, [](const auto& a) { return relu(a); }, x);
}

/// dx = dy where y > 0, else 0.
template <class T>
void mask_into(const T* y, const T* dy, T* dx, std::int64_t elems) {
  map(
    elems, dx, [](const auto& g, const auto& z) { return masked(g, z); }, dy,
    y);
}

template <class T>
void add_into(const T* a, const T* b, T* y, std::int64_t elems) {
  map(
    elems, y, [](const auto& p, const auto& q) { return p + q; }, a, b);
}

/// y = min(max(x, 0), 6)
template <class T>
void relu6_into(const T* x, T* y, std::int64_t elems) {
  map(
    elems, y, [](const auto& a) { return relu6(a); }, x);
}

/// dx = dy where 0 < y < 6, else 0.
template <class T>
void mask6_into(const T* y, const T* dy, T* dx, std::int64_t elems) {
  map(
    elems, dx, [](const auto& g, const auto& z) { return masked6(g, z); }, dy,
    y);
}

template <bool HasCeiling>
class relu_kernel final : public kernel {
public:
  explicit relu_kernel(const tensor_type& type) : type_{type} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {
      .stashes_output = true, .forward_in_place = true, .backward_in_place = 0};
  }

  void forward(const forward_call& call) override {
    with_type(type_.type, [&]<class T>(T*) {
      constexpr auto into = HasCeiling ? relu6_into<T> : relu_into<T>;
      into(call.inputs[0].as<T>(), call.output.as<T>(), type_.elems());
    });
  }

  void backward_input(const backward_call& call) override {
    if (!call.input_grads[0])
      return;
    with_type(type_.type, [&]<class T>(T*) {
      constexpr auto into = HasCeiling ? mask6_into<T> : mask_into<T>;
      into(call.output.as<T>(), call.output_grad.as<T>(),
           call.input_grads[0].as<T>(), type_.elems());
    });
  }

private:
  tensor_type type_;
};

class add_kernel final : public kernel {
public:
  add_kernel(const tensor_type& type, bool has_relu)
    : type_{type}, has_relu_{has_relu} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.stashes_output = has_relu_,
            .forward_in_place = true,
            .backward_in_place = 0,
            .overwrites_output_grad = has_relu_};
  }

  void forward(const forward_call& call) override {
    with_type(type_.type, [&]<class T>(T*) { add<T>(call); });
  }

  /// Every input has the same gradient.
  void backward_input(const backward_call& call) override {
    auto* dy = call.output_grad.data();
    if (has_relu_)
      mask_by_positive(type_.type, call.output.data(), dy, type_.elems());
    for (const auto& dx : call.input_grads)
      if (dx && dx.data() != dy)
        convert(type_.type, dy, type_.type, dx.data(), type_.elems());
  }

private:
  template <class T>
  void add(const forward_call& call) const {
    auto* y = call.output.as<T>();
    add_into(call.inputs[0].as<T>(), call.inputs[1].as<T>(), y, type_.elems());
    for (const auto& x : call.inputs.subspan(2))
      add_into<T>(y, x.as<T>(), y, type_.elems());
    if (has_relu_)
      relu_into(y, y, type_.elems());
  }

  tensor_type type_;
  bool has_relu_;
};

class identity_kernel final : public kernel {
public:
  explicit identity_kernel(const tensor_type& type) : type_{type} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.forward_in_place = true, .backward_in_place = 0};
  }
  void forward(const forward_call& call) override {
    copy(call.inputs[0], call.output);
  }
  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      copy(call.output_grad, call.input_grads[0]);
  }

private:
  void copy(operand from, operand to) const {
    if (from.data() != to.data())
      convert(type_.type, from.data(), type_.type, to.data(), type_.elems());
  }

  tensor_type type_;
};

template <class Kernel, class... Ts>
made_kernel make(Ts&&... xs) {
  return std::unique_ptr<kernel>{
    std::make_unique<Kernel>(std::forward<Ts>(xs)...)};
}

} // namespace

made_kernel make_relu(const kernel_context& context) {
  return make<relu_kernel<false>>(context.output);
}

made_kernel make_relu6(const kernel_context& context) {
  return make<relu_kernel<true>>(context.output);
}

made_kernel make_identity(const kernel_context& context) {
  return make<identity_kernel>(context.output);
}

made_kernel make_add(const kernel_context& context) {
  return make<add_kernel>(context.output,
                          dynamic_cast<const sum&>(context.rule).has_relu());
}

} // namespace pd::cpu
