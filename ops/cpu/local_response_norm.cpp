/// local_response_norm, a pixel at a time: its channels are laid side by side
/// between zeros, so that every window is whole.
///
///     d = k + alpha / size * sum of x^2 near c
///     y = x d^-beta
///     dx = dy d^-beta - 2 alpha beta / size * x * sum of (dy x d^-(beta + 1))
///          over the channels that c is near to

#include "ops/local_response_norm.hpp"

#include "ops/cpu/onednn.hpp"
#include "ops/cpu/pool.hpp"

#include <algorithm>
#include <cmath>
#include <omp.h>

namespace pd::cpu {

namespace {

constexpr int at_once = 16; // floats

std::int64_t rounded_up(std::int64_t value) {
  return (value + at_once - 1) / at_once * at_once;
}

PD_INLINE lanes<at_once> quotient(lanes<at_once> x, const lanes<at_once>& by) {
  for (int i = 0; i < lanes<at_once>::parts; ++i)
    x.at[i] = x.at[i] / by.at[i];
  return x;
}

/// Rows of one pixel's channels, with zeros on both sides.
struct pixel_rows {
  std::int64_t margin, channels; ///< whole registers
  float* first;

  static std::int64_t elems(std::int64_t margin, std::int64_t channels) {
    return 4 * (2 * margin + channels);
  }
  [[nodiscard]] float* row(int index) const {
    return first + index * (2 * margin + channels) + margin;
  }
  [[nodiscard]] float* values() const { return row(0); }
  [[nodiscard]] float* summands() const { return row(1); }
  [[nodiscard]] float* sums() const { return row(2); }
  [[nodiscard]] float* powers() const { return row(3); }
};

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
template <class T, int B>
class local_response_norm_kernel final : public kernel {
public:
  local_response_norm_kernel(const local_response_norm& rule,
                             const kernel_context& context)
    : view_{channel_view::of(context.output)},
      threads_{omp_get_max_threads()},
      before_{rule.set().size / 2},
      after_{(rule.set().size - 1) / 2},
      margin_{rounded_up(rule.set().size)},
      channels_{rounded_up(view_.padded_channels())},
      share_{static_cast<float>(rule.set().alpha
                                / static_cast<double>(rule.set().size))},
      beta_{static_cast<float>(rule.set().beta)},
      k_{static_cast<float>(rule.set().k)} {}

  [[nodiscard]] kernel_needs needs() const override {
    kernel_needs found;
    found.stashes_input = true;
    found.scratch_bytes = threads_ * pixel_rows::elems(margin_, channels_) * 4;
    return found;
  }

  void forward(const forward_call& call) override {
    const T* x = call.inputs[0].as<T>();
    T* y = call.output.as<T>();
    for_pixels(call.scratch, [=, this](const pixel_rows& rows, std::int64_t n,
                                       std::int64_t p) {
      gather(x, n, p, rows.values());
      find_powers(rows);
      for (std::int64_t c = 0; c < channels_; c += at_once)
        store<at_once>(rows.sums() + c, load<at_once>(rows.values() + c)
                                          * load<at_once>(rows.powers() + c));
      scatter(rows.sums(), n, p, y);
    });
  }

  void backward_input(const backward_call& call) override {
    if (!call.input_grads[0])
      return;
    const T* x = call.inputs[0].as<T>();
    const T* dy = call.output_grad.as<T>();
    T* dx = call.input_grads[0].as<T>();
    for_pixels(call.scratch, [=, this](const pixel_rows& rows, std::int64_t n,
                                       std::int64_t p) {
      gather(x, n, p, rows.values());
      find_powers(rows);
      differentiate(dy, n, p, rows);
      scatter(rows.powers(), n, p, dx);
    });
  }

private:
  /// f(rows of this thread, image, pixel), for all.
  template <class F>
  void for_pixels(operand scratch, F&& f) const {
    const auto each = pixel_rows::elems(margin_, channels_);
#pragma omp parallel
    {
      const pixel_rows rows{margin_, channels_,
                            scratch.f32() + omp_get_thread_num() * each};
      std::fill_n(rows.first, each, 0.0F);
#pragma omp for collapse(2) schedule(static)
      for (std::int64_t n = 0; n < view_.images; ++n)
        for (std::int64_t p = 0; p < view_.pixels; ++p)
          f(rows, n, p);
    }
  }

  void gather(const T* from, std::int64_t n, std::int64_t p, float* to) const {
    for (std::int64_t b = 0; b < view_.blocks; ++b)
      store<B>(to + b * B, load<B>(from + view_.row_at(n, b, p)));
  }

  void scatter(const float* from, std::int64_t n, std::int64_t p, T* to) const {
    for (std::int64_t b = 0; b < view_.blocks; ++b)
      store<B>(to + view_.row_at(n, b, p), load<B>(from + b * B));
  }

  /// The sum of `of` from `before` places before c on to `after` behind.
  static PD_INLINE lanes<at_once> window(const float* of, std::int64_t c,
                                         std::int64_t before,
                                         std::int64_t after) {
    auto sum = load<at_once>(of + c - before);
    for (auto i = c - before + 1; i <= c + after; ++i)
      sum = sum + load<at_once>(of + i);
    return sum;
  }

  /// sums: d; powers: d^-beta.
  void find_powers(const pixel_rows& rows) const {
    for (std::int64_t c = 0; c < channels_; c += at_once) {
      const auto x = load<at_once>(rows.values() + c);
      store<at_once>(rows.summands() + c, x * x);
    }
    const auto share = splat<at_once>(share_);
    for (std::int64_t c = 0; c < channels_; c += at_once) {
      const auto d = splat<at_once>(k_)
                     + share * window(rows.summands(), c, before_, after_);
      store<at_once>(rows.sums() + c, d);
      store<at_once>(rows.powers() + c, power(d));
    }
  }

  [[nodiscard]] PD_INLINE lanes<at_once> power(const lanes<at_once>& d) const {
    alignas(64) float each[at_once];
    store<at_once>(each, d);
    if (beta_ == 0.75F) // the usual one: roots are done all at once
      for (auto& x : each)
        x = 1 / (std::sqrt(x) * std::sqrt(std::sqrt(x)));
    else
      for (auto& x : each)
        x = std::pow(x, -beta_);
    return load<at_once>(each);
  }

  /// powers: dx.
  void differentiate(const T* dy, std::int64_t n, std::int64_t p,
                     const pixel_rows& rows) const {
    gather(dy, n, p, rows.summands());
    for (std::int64_t c = 0; c < channels_; c += at_once) {
      const auto direct =
        load<at_once>(rows.summands() + c) * load<at_once>(rows.powers() + c);
      store<at_once>(rows.powers() + c, direct);
      store<at_once>(rows.summands() + c,
                     quotient(direct * load<at_once>(rows.values() + c),
                              load<at_once>(rows.sums() + c)));
    }
    const auto factor = splat<at_once>(-2 * share_ * beta_);
    for (std::int64_t c = 0; c < channels_; c += at_once)
      store<at_once>(rows.powers() + c,
                     load<at_once>(rows.powers() + c)
                       + factor * load<at_once>(rows.values() + c)
                           * window(rows.summands(), c, after_, before_));
  }

  channel_view view_;
  std::int64_t threads_;
  std::int64_t before_, after_; ///< channels near one
  std::int64_t margin_, channels_;
  float share_, beta_, k_;
};

} // namespace

made_kernel make_local_response_norm(const kernel_context& context) {
  const team_of same_size{context.on};
  return make_pool<local_response_norm_kernel, local_response_norm>(context);
}

} // namespace pd::cpu
