/// The pools that average (ops/avg_pool.hpp), on rows of channels that
/// lie together.
///
/// Both passes gather, so each element is written once and sums are f32: an
/// output sums its window, an input's gradient sums the outputs whose windows
/// hold it.

#include "ops/avg_pool.hpp"

#include "ops/cpu/kernels.hpp"
#include "ops/cpu/pool.hpp"

namespace pd::cpu {

namespace {

/// A neighbour along one axis, and how much it counts.
struct weighted {
  std::int64_t place = 0;
  float factor = 0;
};

using weights = table<weighted>;

float share(const averaged& window) {
  return 1.0F / static_cast<float>(window.counted);
}

/// For each output, the inputs of its window.
weights inputs_of(const std::vector<averaged>& windows) {
  weights made{{0}, {}};
  for (const auto& each : windows) {
    for (auto i = each.begin; i < each.end; ++i)
      made.entries.push_back({i, share(each)});
    made.starts.push_back(static_cast<std::int64_t>(made.entries.size()));
  }
  return made;
}

/// For each input, the outputs whose windows hold it.
weights outputs_of(const std::vector<averaged>& windows, std::int64_t extent) {
  weights made{{0}, {}};
  for (std::int64_t i = 0; i < extent; ++i) {
    for (std::size_t o = 0; o < windows.size(); ++o)
      if (windows[o].begin <= i && i < windows[o].end)
        made.entries.push_back(
          {static_cast<std::int64_t>(o), share(windows[o])});
    made.starts.push_back(static_cast<std::int64_t>(made.entries.size()));
  }
  return made;
}

/// The sum over neighbours of factor * factor * row, for one row.
template <class T, int B>
PD_INLINE lanes<B> gathered(const T* plane, const planes& of,
                            std::span<const weighted> down,
                            std::span<const weighted> across) {
  auto sum = splat<B>(0);
  for (const auto& h : down) {
    const T* row = plane + h.place * of.width * of.step();
    for (const auto& w : across)
      sum =
        sum
        + load<B>(row + w.place * of.step()) * splat<B>(h.factor * w.factor);
  }
  return sum;
}

/// to[h, w] = the sum over its neighbours in `from`, in every plane.
template <class T, int B>
void gather(const T* from, const planes& source, T* to, const planes& target,
            const weights& down, const weights& across) {
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < target.count; ++p) {
    const T* plane = from + source.at(p);
    T* out = to + target.at(p);
    for (std::int64_t h = 0; h < target.height; ++h)
      for (std::int64_t w = 0; w < target.width; ++w, out += target.step())
        store<B>(out, gathered<T, B>(plane, source, down.at(h), across.at(w)));
  }
}

bool is_identity(const weights& inputs, std::int64_t extent) {
  if (static_cast<std::int64_t>(inputs.starts.size()) != extent + 1
      || inputs.entries.size() != static_cast<std::size_t>(extent))
    return false;
  for (std::int64_t i = 0; i < extent; ++i)
    if (inputs.entries[static_cast<std::size_t>(i)].place != i)
      return false;
  return true;
}

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
template <class T, int B>
class avg_pool_kernel final : public kernel {
public:
  avg_pool_kernel(const averaging_op& rule, const kernel_context& context)
    : x_{planes::of(context.inputs[0])},
      y_{planes::of(context.output)},
      down_{inputs_of(rule.windows(0, x_.height))},
      across_{inputs_of(rule.windows(1, x_.width))},
      down_back_{outputs_of(rule.windows(0, x_.height), x_.height)},
      across_back_{outputs_of(rule.windows(1, x_.width), x_.width)},
      is_identity_{is_identity(down_, x_.height)
                   && is_identity(across_, x_.width)} {}

  [[nodiscard]] kernel_needs needs() const override {
    kernel_needs found;
    found.forward_in_place = is_identity_;
    found.backward_in_place = is_identity_ ? 0 : -1;
    return found;
  }

  void forward(const forward_call& call) override {
    gather<T, B>(call.inputs[0].as<T>(), x_, call.output.as<T>(), y_, down_,
                 across_);
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      gather<T, B>(call.output_grad.as<T>(), y_, call.input_grads[0].as<T>(),
                   x_, down_back_, across_back_);
  }

  [[nodiscard]] std::string describe() const override {
    return is_identity_ ? "identity" : "rows of " + std::to_string(B);
  }

private:
  planes x_, y_;
  weights down_, across_;           ///< of an output: inputs
  weights down_back_, across_back_; ///< of an input: outputs
  bool is_identity_;
};

} // namespace

made_kernel make_avg_pool(const kernel_context& context) {
  return make_pool<avg_pool_kernel, averaging_op>(context);
}

made_kernel make_adaptive_avg_pool(const kernel_context& context) {
  return make_pool<avg_pool_kernel, averaging_op>(context);
}

made_kernel make_global_avg_pool(const kernel_context& context) {
  return make_pool<avg_pool_kernel, averaging_op>(context);
}

} // namespace pd::cpu
