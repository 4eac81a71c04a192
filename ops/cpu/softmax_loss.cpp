#include "ops/softmax_loss.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/kernels.hpp"

#include <algorithm>
#include <cmath>

namespace pd::cpu {

namespace {

/// What one sample adds to the output.
struct sample_loss {
  double loss = 0;
  bool is_first = false;
  bool is_in_five = false;
};

/// Few elements, so one thread. The workspace holds the probabilities.
class softmax_loss_kernel final : public kernel {
public:
  softmax_loss_kernel(const tensor_type& logits, const softmax_loss& rule)
    : type_{logits.type},
      samples_{logits.extents[0]},
      classes_{logits.extents[1]},
      smoothing_{rule.smoothing()},
      weight_{rule.weight()} {}

  [[nodiscard]] kernel_needs needs() const override {
    return {.stashes_input = true, .workspace_bytes = samples_ * classes_ * 4};
  }

  void forward(const forward_call& call) override {
    with_type(type_, [&]<class T>(T*) { forward<T>(call); });
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      with_type(type_, [&]<class T>(T*) { backward<T>(call); });
  }

private:
  template <class T>
  void forward(const forward_call& call) const {
    const auto* labels = call.inputs[1].as<std::int32_t>();
    double loss = 0;
    std::int64_t first = 0;
    std::int64_t in_five = 0;
    for (std::int64_t n = 0; n < samples_; ++n) {
      if (labels[n] < 0)
        continue;
      const auto one =
        add_sample(call.inputs[0].as<T>() + n * classes_, labels[n],
                   call.workspace.f32() + n * classes_);
      loss += one.loss;
      first += one.is_first ? 1 : 0;
      in_five += one.is_in_five ? 1 : 0;
    }
    auto* out = call.output.f32();
    const auto counted = count(labels);
    const auto mean = counted > 0 ? loss / static_cast<double>(counted) : 0;
    out[0] = static_cast<float>(weight_ * mean);
    out[1] = static_cast<float>(first);
    out[2] = static_cast<float>(in_five);
  }

  [[nodiscard]] std::int64_t count(const std::int32_t* labels) const {
    return std::count_if(labels, labels + samples_,
                         [](std::int32_t label) { return label >= 0; });
  }

  template <class T>
  sample_loss add_sample(const T* logits, std::int32_t label,
                         float* probabilities) const {
    const auto own = static_cast<double>(static_cast<float>(logits[label]));
    double most = own;
    double mean = 0;
    std::int64_t greater = 0;
    for (std::int64_t k = 0; k < classes_; ++k) {
      const auto x = static_cast<double>(static_cast<float>(logits[k]));
      most = std::max(most, x);
      mean += x / static_cast<double>(classes_);
      greater += x > own ? 1 : 0;
    }
    double sum = 0;
    for (std::int64_t k = 0; k < classes_; ++k) {
      const auto x = static_cast<double>(static_cast<float>(logits[k]));
      const auto weight = std::exp(x - most);
      probabilities[k] = static_cast<float>(weight);
      sum += weight;
    }
    for (std::int64_t k = 0; k < classes_; ++k)
      probabilities[k] = static_cast<float>(double{probabilities[k]} / sum);
    const auto target = (1 - smoothing_) * own + smoothing_ * mean;
    return {most + std::log(sum) - target, greater < 1, greater < 5};
  }

  template <class T>
  void backward(const backward_call& call) const {
    const auto* labels = call.inputs[1].as<std::int32_t>();
    const auto* p = call.workspace.f32();
    auto* dx = call.input_grads[0].as<T>();
    const auto counted = static_cast<double>(count(labels));
    const auto share = smoothing_ / static_cast<double>(classes_);
    for (std::int64_t n = 0; n < samples_; ++n)
      for (std::int64_t k = 0; k < classes_; ++k) {
        const auto i = n * classes_ + k;
        const auto target = share + (labels[n] == k ? 1 - smoothing_ : 0);
        dx[i] = labels[n] < 0 ? T{}
                              : T(static_cast<float>(
                                weight_ * ((double{p[i]} - target) / counted)));
      }
  }

  dtype type_;
  std::int64_t samples_;
  std::int64_t classes_;
  double smoothing_;
  double weight_;
};

} // namespace

made_kernel make_softmax_loss(const kernel_context& context) {
  const auto& rule = dynamic_cast<const softmax_loss&>(context.rule);
  return std::unique_ptr<kernel>{
    std::make_unique<softmax_loss_kernel>(context.inputs[0], rule)};
}

} // namespace pd::cpu
