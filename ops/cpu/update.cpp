/// SGD, Adam and AdamW: one pass over weights, gradients and moments.

#include "ops/cpu/kernels.hpp"
#include "ops/cpu/lanes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

namespace pd::cpu {

namespace {

/// A thread takes so many elements at once; they stay in its cache.
constexpr std::int64_t chunk_elems = 1 << 13;

/// Calls f(chunk, first, end), chunks spread over the threads.
template <class F>
void for_chunks(std::int64_t elems, F&& f) {
  const auto chunks = (elems + chunk_elems - 1) / chunk_elems;
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < chunks; ++c)
    f(c, c * chunk_elems, std::min(elems, (c + 1) * chunk_elems));
}

/// Rounds some weights that were just written.
void round_weights(const float* from, bf16* to, std::int64_t elems) {
  constexpr int at_once = 8;
  std::int64_t i = 0;
  for (; i + at_once <= elems; i += at_once)
    store<at_once>(to + i, load<at_once>(from + i));
  for (; i < elems; ++i)
    to[i] = bf16{from[i]};
}

/// Calls next(i) -> new weight for every element, and keeps the results.
template <class F>
void update_all(const update_call& call, F&& next) {
  auto* to = call.new_weights;
  auto* rounded = static_cast<bf16*>(call.new_weights_bf16);
  for_chunks(call.elems, [=](auto, std::int64_t first, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = first; i < end; ++i)
      to[i] = next(i);
    if (rounded != nullptr)
      round_weights(to + first, rounded + first, end - first);
  });
}

/// In eight sums whatever the machine's registers, so with the same bits.
double sum_squares(std::span<const float> values) {
  constexpr std::size_t at_once = 8;
  double sums[at_once] = {};
  std::size_t i = 0;
  for (; i + at_once <= values.size(); i += at_once)
    for (std::size_t l = 0; l < at_once; ++l) {
      const double x{values[i + l]};
      sums[l] += x * x;
    }
  for (; i < values.size(); ++i)
    sums[0] += double{values[i]} * double{values[i]};
  return std::accumulate(std::begin(sums), std::end(sums), 0.0);
}

class rule_base : public update_rule {
public:
  explicit rule_base(optimizer_settings settings) : set_{std::move(settings)} {}

  [[nodiscard]] double sum_of_squares(std::span<const float> values) override {
    const auto elems = static_cast<std::int64_t>(values.size());
    const auto chunks = (elems + chunk_elems - 1) / chunk_elems;
    sums_.resize(static_cast<std::size_t>(chunks)); // allocates once
    for_chunks(elems, [&](auto chunk, std::int64_t first, std::int64_t end) {
      sums_[static_cast<std::size_t>(chunk)] =
        sum_squares(values.subspan(static_cast<std::size_t>(first),
                                   static_cast<std::size_t>(end - first)));
    });
    return std::accumulate(sums_.begin(), sums_.end(), 0.0);
  }

protected:
  optimizer_settings set_;

private:
  std::vector<double> sums_;
};

class sgd final : public rule_base {
public:
  using rule_base::rule_base;

  [[nodiscard]] int moments() const override {
    return set_.momentum > 0 ? 1 : 0;
  }

  void apply(const update_call& call) override {
    const auto scale = static_cast<float>(call.grad_scale);
    const auto decay = static_cast<float>(set_.weight_decay);
    const auto lr = static_cast<float>(call.lr);
    const auto* w = call.weights;
    const auto* dw = call.grads;
    if (set_.momentum > 0)
      return with_momentum(call, scale, decay, lr);
    update_all(call, [=](std::int64_t i) {
      return w[i] - lr * (dw[i] * scale + decay * w[i]);
    });
  }

private:
  void with_momentum(const update_call& call, float scale, float decay,
                     float lr) const {
    const auto* w = call.weights;
    const auto* dw = call.grads;
    auto* m = call.moments[0];
    // The first step takes the gradient as it is, whatever the dampening.
    const auto mu = static_cast<float>(call.step == 1 ? 0 : set_.momentum);
    const auto share =
      static_cast<float>(call.step == 1 ? 1 : 1 - set_.dampening);
    const auto ahead = static_cast<float>(set_.momentum);
    if (set_.nesterov)
      return update_all(call, [=](std::int64_t i) {
        const auto g = dw[i] * scale + decay * w[i];
        m[i] = mu * m[i] + share * g;
        return w[i] - lr * (g + ahead * m[i]);
      });
    update_all(call, [=](std::int64_t i) {
      const auto g = dw[i] * scale + decay * w[i];
      m[i] = mu * m[i] + share * g;
      return w[i] - lr * m[i];
    });
  }
};

/// Paper: arXiv 1412.6980; with decay apart (AdamW): arXiv 1711.05101.
class adam final : public rule_base {
public:
  adam(const optimizer_settings& settings, bool is_decay_apart)
    : rule_base{settings}, is_decay_apart_{is_decay_apart} {}

  [[nodiscard]] int moments() const override { return 2; }

  void apply(const update_call& call) override {
    const auto t = static_cast<double>(call.step);
    const auto scale = static_cast<float>(call.grad_scale);
    const auto b1 = static_cast<float>(set_.beta1);
    const auto b2 = static_cast<float>(set_.beta2);
    const auto rest1 = static_cast<float>(1 - set_.beta1);
    const auto rest2 = static_cast<float>(1 - set_.beta2);
    const auto rate =
      static_cast<float>(call.lr / (1 - std::pow(set_.beta1, t)));
    const auto root =
      static_cast<float>(std::sqrt(1 - std::pow(set_.beta2, t)));
    const auto eps = static_cast<float>(set_.eps);
    const auto decay =
      is_decay_apart_ ? 0.0F : static_cast<float>(set_.weight_decay);
    const auto keep =
      static_cast<float>(is_decay_apart_ ? 1 - call.lr * set_.weight_decay : 1);
    const auto* w = call.weights;
    const auto* dw = call.grads;
    auto* m = call.moments[0];
    auto* v = call.moments[1];
    update_all(call, [=](std::int64_t i) {
      const auto g = dw[i] * scale + decay * w[i];
      m[i] = b1 * m[i] + rest1 * g;
      v[i] = b2 * v[i] + rest2 * g * g;
      return keep * w[i] - rate * m[i] / (std::sqrt(v[i]) / root + eps);
    });
  }

private:
  bool is_decay_apart_;
};

error out_of_range(const optimizer_settings& s, const std::string& what,
                   double got) {
  return {errc::bad_value,
          s.name + ": " + what + ", got " + std::to_string(got)};
}

result<void> check(const optimizer_settings& s) {
  if (!(s.momentum >= 0 && s.momentum < 1))
    return out_of_range(s, "wanted momentum from 0 to below 1", s.momentum);
  if (!(s.dampening >= 0 && s.dampening <= 1))
    return out_of_range(s, "wanted dampening from 0 to 1", s.dampening);
  if (s.nesterov && (s.momentum == 0 || s.dampening != 0))
    return error{errc::bad_value,
                 s.name + ": nesterov wants momentum and no dampening"};
  if (!(s.beta1 >= 0 && s.beta1 < 1))
    return out_of_range(s, "wanted beta1 from 0 to below 1", s.beta1);
  if (!(s.beta2 >= 0 && s.beta2 < 1))
    return out_of_range(s, "wanted beta2 from 0 to below 1", s.beta2);
  if (!(s.eps > 0))
    return out_of_range(s, "wanted eps above 0", s.eps);
  if (!(s.weight_decay >= 0))
    return out_of_range(s, "wanted weight_decay of at least 0", s.weight_decay);
  return {};
}

} // namespace

made_update make_sgd(const optimizer_settings& settings) {
  PD_CHECK(check(settings));
  return std::unique_ptr<update_rule>{std::make_unique<sgd>(settings)};
}

made_update make_adam(const optimizer_settings& settings) {
  PD_CHECK(check(settings));
  return std::unique_ptr<update_rule>{std::make_unique<adam>(settings, false)};
}

made_update make_adamw(const optimizer_settings& settings) {
  PD_CHECK(check(settings));
  return std::unique_ptr<update_rule>{std::make_unique<adam>(settings, true)};
}

} // namespace pd::cpu
