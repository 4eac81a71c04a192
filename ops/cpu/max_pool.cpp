/// max_pool on rows of channels that lie together.
///
/// Forward keeps in the workspace which place of its window each output took;
/// backward gathers: an input's gradient is the sum over the outputs that took
/// it, so each element is written once.

#include "ops/max_pool.hpp"

#include "ops/cpu/kernels.hpp"
#include "ops/cpu/pool.hpp"

#include <limits>

namespace pd::cpu {

namespace {

/// An input `place` (or an output, looking back) and which step of the window
/// leads there.
struct window_step {
  std::int64_t place = 0;
  std::int32_t step = 0;
};

using steps = table<window_step>;

/// One axis of the window.
struct window_axis {
  std::int64_t kernel, stride, padding, dilation;

  window_axis(const sliding_window& from, std::size_t axis)
    : kernel{from.kernel[axis]},
      stride{from.stride[axis]},
      padding{from.padding[axis]},
      dilation{from.dilation[axis]} {}

  [[nodiscard]] std::int64_t input(std::int64_t output,
                                   std::int64_t step) const {
    return output * stride - padding + step * dilation;
  }
};

/// For each output, the inputs of its window; `scale` makes steps of the two
/// axes add up to one number.
steps inputs_of(const window_axis& axis, std::int64_t outputs,
                std::int64_t extent, std::int64_t scale) {
  steps made{{0}, {}};
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t k = 0; k < axis.kernel; ++k)
      if (const auto i = axis.input(o, k); i >= 0 && i < extent)
        made.entries.push_back({i, static_cast<std::int32_t>(k * scale)});
    made.starts.push_back(static_cast<std::int64_t>(made.entries.size()));
  }
  return made;
}

/// For each input, the outputs whose windows hold it.
steps outputs_of(const window_axis& axis, std::int64_t outputs,
                 std::int64_t extent, std::int64_t scale) {
  steps made{{0}, {}};
  for (std::int64_t i = 0; i < extent; ++i) {
    for (std::int64_t o = 0; o < outputs; ++o)
      for (std::int64_t k = 0; k < axis.kernel; ++k)
        if (axis.input(o, k) == i)
          made.entries.push_back({o, static_cast<std::int32_t>(k * scale)});
    made.starts.push_back(static_cast<std::int64_t>(made.entries.size()));
  }
  return made;
}

// -- one row -----------------------------------------------------------------

/// A step for each lane, in memory as 16 bits.
template <int B>
struct lane_steps {
  using word = typename lanes<B>::word;
  word at[lanes<B>::parts];
};

template <int B>
PD_INLINE void save(std::uint16_t* to, const lane_steps<B>& x) {
  constexpr int width = lanes<B>::width;
  for (int i = 0; i < lanes<B>::parts; ++i) {
    if constexpr (width == 1) {
      to[i] = static_cast<std::uint16_t>(x.at[i]);
    } else {
      using half = typename register_of<std::uint16_t, width>::type;
      const auto narrow = __builtin_convertvector(x.at[i], half);
      std::memcpy(to + std::ptrdiff_t{i} * width, &narrow, sizeof narrow);
    }
  }
}

template <int B>
PD_INLINE lane_steps<B> saved(const std::uint16_t* from) {
  constexpr int width = lanes<B>::width;
  using word = typename lane_steps<B>::word;
  lane_steps<B> x{};
  for (int i = 0; i < lanes<B>::parts; ++i) {
    if constexpr (width == 1) {
      x.at[i] = from[i];
    } else {
      typename register_of<std::uint16_t, width>::type narrow;
      std::memcpy(&narrow, from + std::ptrdiff_t{i} * width, sizeof narrow);
      x.at[i] = __builtin_convertvector(narrow, word);
    }
  }
  return x;
}

/// Takes x where it is larger, or a NaN; so the first of equals stays.
template <int B>
PD_INLINE void take_larger(lanes<B>& most, lane_steps<B>& taken,
                           const lanes<B>& x, std::int32_t step) {
  for (int i = 0; i < lanes<B>::parts; ++i) {
    const auto wins = (x.at[i] > most.at[i]) | (x.at[i] != x.at[i]);
    most.at[i] = wins ? x.at[i] : most.at[i];
    taken.at[i] = wins ? typename lane_steps<B>::word{} + step : taken.at[i];
  }
}

/// Adds g to the lanes whose output took this step.
template <int B>
PD_INLINE void add_taken(lanes<B>& sum, const lane_steps<B>& taken,
                         const lanes<B>& g, std::int32_t step) {
  for (int i = 0; i < lanes<B>::parts; ++i)
    sum.at[i] += taken.at[i] == step ? g.at[i] : typename lanes<B>::part{};
}

template <class T, int B>
PD_INLINE void
pool_window(const T* plane, const planes& of, std::span<const window_step> down,
            std::span<const window_step> across, T* y, std::uint16_t* taken) {
  auto most = splat<B>(-std::numeric_limits<float>::infinity());
  lane_steps<B> first{};
  for (auto& part : first.at)
    part = typename lane_steps<B>::word{} + (down[0].step + across[0].step);
  for (const auto& h : down) {
    const T* row = plane + h.place * of.width * of.step();
    for (const auto& w : across)
      take_larger<B>(most, first, load<B>(row + w.place * of.step()),
                     h.step + w.step);
  }
  store<B>(y, most);
  save<B>(taken, first);
}

template <class T, int B>
PD_INLINE lanes<B> gathered_grad(const T* dy, const std::uint16_t* taken,
                                 const planes& of,
                                 std::span<const window_step> down,
                                 std::span<const window_step> across) {
  auto sum = splat<B>(0);
  for (const auto& h : down)
    for (const auto& w : across) {
      const auto at = (h.place * of.width + w.place) * of.step();
      add_taken<B>(sum, saved<B>(taken + at), load<B>(dy + at),
                   h.step + w.step);
    }
  return sum;
}

// -- the kernel --------------------------------------------------------------

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
template <class T, int B>
class max_pool_kernel final : public kernel {
public:
  max_pool_kernel(const max_pool& rule, const kernel_context& context)
    : x_{planes::of(context.inputs[0])},
      y_{planes::of(context.output)},
      elems_{context.output.elems()} {
    const window_axis height{rule.window(), 0};
    const window_axis width{rule.window(), 1};
    down_ = inputs_of(height, y_.height, x_.height, width.kernel);
    across_ = inputs_of(width, y_.width, x_.width, 1);
    down_back_ = outputs_of(height, y_.height, x_.height, width.kernel);
    across_back_ = outputs_of(width, y_.width, x_.width, 1);
  }

  [[nodiscard]] kernel_needs needs() const override {
    kernel_needs found;
    found.workspace_bytes =
      elems_ * static_cast<std::int64_t>(sizeof(std::uint16_t));
    return found;
  }

  void forward(const forward_call& call) override {
    const T* x = call.inputs[0].as<T>();
    T* y = call.output.as<T>();
    auto* taken = call.workspace.as<std::uint16_t>();
#pragma omp parallel for schedule(static)
    for (std::int64_t p = 0; p < y_.count; ++p) {
      const T* plane = x + x_.at(p);
      auto at = y_.at(p);
      for (std::int64_t h = 0; h < y_.height; ++h)
        for (std::int64_t w = 0; w < y_.width; ++w, at += y_.step())
          pool_window<T, B>(plane, x_, down_.at(h), across_.at(w), y + at,
                            taken + at);
    }
  }

  void backward_input(const backward_call& call) override {
    if (!call.input_grads[0])
      return;
    const T* dy = call.output_grad.as<T>();
    T* dx = call.input_grads[0].as<T>();
    const auto* taken = call.workspace.as<std::uint16_t>();
#pragma omp parallel for schedule(static)
    for (std::int64_t p = 0; p < x_.count; ++p) {
      const auto plane = y_.at(p);
      T* to = dx + x_.at(p);
      for (std::int64_t h = 0; h < x_.height; ++h)
        for (std::int64_t w = 0; w < x_.width; ++w, to += x_.step())
          store<B>(to,
                   gathered_grad<T, B>(dy + plane, taken + plane, y_,
                                       down_back_.at(h), across_back_.at(w)));
    }
  }

  [[nodiscard]] std::string describe() const override {
    return "rows of " + std::to_string(B);
  }

private:
  planes x_, y_;
  std::int64_t elems_;            ///< of the output, as stored
  steps down_, across_;           ///< of an output: inputs
  steps down_back_, across_back_; ///< of an input: outputs
};

/// Steps are kept in 16 bits.
constexpr std::int64_t most_steps = std::int64_t{1} << 16;

} // namespace

made_kernel make_max_pool(const kernel_context& context) {
  const auto& kernel =
    static_cast<const max_pool&>(context.rule).window().kernel;
  if (kernel[0] * kernel[1] > most_steps)
    return error{errc::not_supported,
                 "max_pool: kernel of " + std::to_string(kernel[0]) + " x "
                   + std::to_string(kernel[1]) + ", wanted at most "
                   + std::to_string(most_steps) + " places"};
  return make_pool<max_pool_kernel, max_pool>(context);
}

} // namespace pd::cpu
