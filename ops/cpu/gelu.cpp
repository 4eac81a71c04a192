/// gelu on oneDNN: one pass each way.

#include "ops/cpu/kernels.hpp"
#include "ops/cpu/onednn.hpp"
#include "ops/elementwise.hpp"

#include <algorithm>
#include <string>

namespace pd::cpu {

namespace {

using dnnl::memory;
using forward_desc = dnnl::eltwise_forward::primitive_desc;
using backward_desc = dnnl::eltwise_backward::primitive_desc;

memory::desc as_row(const tensor_type& type, dtype compute) {
  return {{type.elems()}, to_onednn(compute), memory::format_tag::a};
}

struct gelu_passes {
  forward_desc forward;
  backward_desc backward;

  gelu_passes(const memory::desc& x, dnnl::algorithm form)
    : forward{{dnnl::prop_kind::forward_training, form, x, 0, 0},
              user_scratchpad(),
              onednn_engine()},
      backward{
        {form, x, x, 0, 0}, user_scratchpad(), onednn_engine(), forward} {}

  [[nodiscard]] bool are_fast() const {
    return !is_reference(forward) && !is_reference(backward);
  }
};

/// Padding is zero and stays so: gelu(0) = 0.
class gelu_kernel final : public kernel {
public:
  gelu_kernel(const memory::desc& given, const memory::desc& as,
              const gelu_passes& by)
    : description_{by.forward.impl_info_str()} {
    const auto x = forward_.outside();
    const auto y = forward_.outside();
    const auto from = forward_.fetch(x, given, as);
    const auto to = forward_.room(y, as, given);
    forward_.primitive(by.forward,
                       {{DNNL_ARG_SRC, from, as}, {DNNL_ARG_DST, to, as}});
    forward_.store(to, as, y, given);
    add_backward(given, as, by.backward);
    if (given != as)
      description_ += ", computes in f32";
  }

  [[nodiscard]] kernel_needs needs() const override {
    return {.stashes_input = true,
            .scratch_bytes =
              std::max(forward_.scratch_bytes(), backward_.scratch_bytes()),
            .backward_in_place = 0};
  }

  void forward(const forward_call& call) override {
    forward_.run({call.inputs[0], call.output}, call.scratch);
  }

  void backward_input(const backward_call& call) override {
    if (call.input_grads[0])
      backward_.run({call.inputs[0], call.output_grad, call.input_grads[0]},
                    call.scratch);
  }

  [[nodiscard]] std::string describe() const override { return description_; }

private:
  void add_backward(const memory::desc& given, const memory::desc& as,
                    const backward_desc& made) {
    const auto x = backward_.outside();
    const auto dy = backward_.outside();
    const auto dx = backward_.outside();
    const auto from = backward_.fetch(x, given, as);
    const auto grad = backward_.fetch(dy, given, as);
    const auto to = backward_.room(dx, as, given);
    backward_.primitive(made, {{DNNL_ARG_SRC, from, as},
                               {DNNL_ARG_DIFF_DST, grad, as},
                               {DNNL_ARG_DIFF_SRC, to, as}});
    backward_.store(to, as, dx, given);
  }

  std::string description_;
  onednn_pass forward_, backward_;
};

/// Computing in `compute`; null if oneDNN has no fast code for that.
std::unique_ptr<kernel> try_make(const kernel_context& context, dtype compute) {
  const auto& rule = dynamic_cast<const gelu&>(context.rule);
  const auto as = as_row(context.output, compute);
  const gelu_passes by{as, rule.is_tanh() ? dnnl::algorithm::eltwise_gelu_tanh
                                          : dnnl::algorithm::eltwise_gelu_erf};
  if (compute != dtype::f32 && !by.are_fast())
    return nullptr;
  return std::make_unique<gelu_kernel>(
    as_row(context.output, context.output.type), as, by);
}

} // namespace

made_kernel make_gelu(const kernel_context& context) {
  const team_of same_size{context.on};
  return make_with_onednn(
    context, [&](dtype compute) { return try_make(context, compute); });
}

} // namespace pd::cpu
