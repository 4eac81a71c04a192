/// conv2d on oneDNN.
///
/// oneDNN gets the node's form (conv2d_form.hpp) in the activation layout. If
/// it has only reference code for a pass so, it may choose the layout itself,
/// and reorders stand before and after it: dilated weight gradients on AVX2 (to
/// GEMM), the weight gradient of a gray image (to channels by 8), an 11 x 11
/// kernel with stride 4 (to GEMM). Measured on AVX2 with oneDNN 2.6.
///
/// The weight gradient of a wide depthwise kernel is our own
/// (depthwise_gradient.hpp).
///
/// Weights are stored as the forward primitive wants them. The input gradient
/// wants them in another order and gets a copy with each call: of ResNet-50's
/// 94 MB a microbatch, about 1 % of its step at 16 images.

#include "ops/conv2d.hpp"

#include "engine/base/text.hpp"
#include "ops/cpu/conv2d_form.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/depthwise_gradient.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/onednn.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace pd::cpu {

namespace {

using dnnl::memory;
using dnnl::prop_kind;

/// One node's convolution as oneDNN is asked for it.
struct conv2d_problem {
  conv2d_form form;
  tensor_type given_input; ///< as calls bring it
  tensor_type input;       ///< as oneDNN sees it
  tensor_type output;
  bool has_bias = false;
  bool has_relu = false;
  bool needs_input_grad = true;
};

conv2d_problem problem_of(const kernel_context& context) {
  const auto& rule = static_cast<const conv2d&>(context.rule);
  conv2d_problem made;
  made.given_input = made.input = context.inputs[0];
  made.output = context.output;
  if (rule.set().groups > 1 || context.output.order == layout::channels_last)
    made.input.order = context.output.order;
  made.form = conv2d_form::of(rule, made.input, made.output);
  made.has_bias = rule.set().bias;
  made.has_relu = rule.set().relu;
  made.needs_input_grad =
    context.needs_input_grad && made.given_input.order != layout::plain;
  return made;
}

/// The three primitives in one element type.
struct conv2d_primitives {
  dnnl::convolution_forward::primitive_desc forward;
  dnnl::convolution_backward_data::primitive_desc input; ///< may be empty
  dnnl::convolution_backward_weights::primitive_desc weight;

  conv2d_primitives(const conv2d_problem& of, dtype compute);

  /// True if no pass of `of` has to run reference code.
  [[nodiscard]] bool are_fast(const conv2d_problem& of) const {
    return !is_reference(forward) && !is_reference(weight)
           && (!of.needs_input_grad || !is_reference(input));
  }
};

/// Operands' descriptors; `is_free` leaves the layouts to oneDNN.
struct conv2d_operands {
  memory::desc x, y, w, dw, b;

  conv2d_operands(const conv2d_problem& of, dtype compute, bool is_free)
    : x{with_type(to_onednn(of.input), compute)},
      y{with_type(to_onednn(of.output), compute)} {
    const auto any = memory::format_tag::any;
    const auto number = to_onednn(compute);
    if (is_free) {
      x = {x.dims(), number, any};
      y = {y.dims(), number, any};
    }
    w = {of.form.weights, number, any};
    dw = {of.form.weights, memory::data_type::f32, any};
    if (of.has_bias)
      b = {
        {of.form.bias_elems()}, memory::data_type::f32, memory::format_tag::x};
  }
};

constexpr auto direct = dnnl::algorithm::convolution_direct;

auto make_forward(const conv2d_problem& of, dtype compute, bool is_free) {
  const conv2d_operands as{of, compute, is_free};
  auto attributes = user_scratchpad();
  if (of.has_relu) {
    dnnl::post_ops after;
    after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(after);
  }
  const auto& form = of.form;
  return dnnl::convolution_forward::primitive_desc{
    {prop_kind::forward_training, direct, as.x, as.w, as.b, as.y, form.strides,
     form.dilations, form.padding, form.padding},
    attributes,
    onednn_engine(),
    true};
}

/// Backward primitives want to know their forward one, without the ReLU.
auto make_hint(const conv2d_problem& of, dtype compute, bool is_free) {
  auto plain = of;
  plain.has_relu = false;
  return make_forward(plain, compute, is_free);
}

auto make_backward_data(const conv2d_problem& of, dtype compute, bool is_free) {
  using made = dnnl::convolution_backward_data::primitive_desc;
  const auto hint = make_hint(of, compute, is_free);
  if (!hint)
    return made{};
  const conv2d_operands as{of, compute, is_free};
  const auto& form = of.form;
  return made{{direct, as.x, as.w, as.y, form.strides, form.dilations,
               form.padding, form.padding},
              user_scratchpad(),
              onednn_engine(),
              hint,
              true};
}

auto make_backward_weights(const conv2d_problem& of, dtype compute,
                           bool is_free) {
  using made = dnnl::convolution_backward_weights::primitive_desc;
  const auto hint = make_hint(of, compute, is_free);
  if (!hint)
    return made{};
  const conv2d_operands as{of, compute, is_free};
  const auto& form = of.form;
  return made{{direct, as.x, as.dw, as.b, as.y, form.strides, form.dilations,
               form.padding, form.padding},
              user_scratchpad(),
              onednn_engine(),
              hint,
              true};
}

/// In the activation layout if that is fast, else as oneDNN likes it.
template <class Make>
auto best_of(Make make, const conv2d_problem& of, dtype compute) {
  auto made = make(of, compute, false);
  return is_reference(made) ? make(of, compute, true) : made;
}

conv2d_primitives::conv2d_primitives(const conv2d_problem& of, dtype compute)
  : forward{best_of(make_forward, of, compute)},
    weight{best_of(make_backward_weights, of, compute)} {
  if (of.needs_input_grad)
    input = best_of(make_backward_data, of, compute);
}

// -- the kernel --------------------------------------------------------------

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
class conv2d_kernel final : public kernel {
public:
  conv2d_kernel(const conv2d_problem& of, const conv2d_primitives& by);

  [[nodiscard]] kernel_needs needs() const override;
  void forward(const forward_call& call) override;
  void backward_input(const backward_call& call) override;
  void backward_weight(const backward_call& call) override;

  [[nodiscard]] parameter_storage storage(int index,
                                          const parameter&) const override;
  void pack(int index, std::span<const float> plain,
            std::span<float> stored) const override;
  void unpack(int index, std::span<const float> stored,
              std::span<float> plain) const override;
  [[nodiscard]] std::string describe() const override { return description_; }

private:
  using place = onednn_pass::place;

  [[nodiscard]] memory::desc plain_weights() const;
  [[nodiscard]] place seen_input(onednn_pass& pass, place input) const;
  void prepare_forward(const conv2d_primitives& by);
  void prepare_input(const conv2d_primitives& by);
  void prepare_weight(const conv2d_primitives& by, bool adds,
                      onednn_pass& pass);
  void prepare_own_weight(const depthwise_gradient& by, bool adds,
                          onednn_pass& pass) const;

  conv2d_problem is_;
  memory::desc weights_;    ///< as calls bring them
  memory::desc weight_sum_; ///< their gradients: the same, f32
  std::vector<float> mask_; ///< 1 where the node has a weight, if merged
  onednn_pass forward_, input_, weight_, weight_adds_;
  std::string description_;
};

/// Where oneDNN has none that is fast.
std::optional<depthwise_gradient> own_gradient(const conv2d_problem& of,
                                               const memory::desc& weights) {
  if (of.has_bias || of.given_input.order != of.input.order
      || of.given_input.type != of.output.type)
    return std::nullopt;
  return depthwise_gradient::make(of.form, of.input, of.output, weights);
}

std::string describe(const conv2d_problem& of, const conv2d_primitives& by) {
  std::string text = by.forward.impl_info_str();
  text +=
    std::string{" | "} + (of.needs_input_grad ? by.input.impl_info_str() : "-")
    + " | "
    + (own_gradient(of, by.forward.weights_desc()) ? "depthwise"
                                                   : by.weight.impl_info_str());
  if (of.form.is_merged())
    text += ", " + std::to_string(of.form.groups) + " groups as "
            + std::to_string(of.form.form_groups);
  const auto compute = by.forward.weights_desc().data_type();
  if (of.output.type == dtype::bf16 && compute == memory::data_type::f32)
    text += ", computes in f32";
  return text;
}

conv2d_kernel::conv2d_kernel(const conv2d_problem& of,
                             const conv2d_primitives& by)
  : is_{of},
    weights_{by.forward.weights_desc()},
    weight_sum_{with_type(weights_, dtype::f32)},
    description_{cpu::describe(of, by)} {
  if (is_.form.is_merged()) {
    const auto elems = static_cast<std::size_t>(stored_elems(weights_));
    const auto own = is_.form.groups * is_.form.group_outputs
                     * is_.form.group_inputs * is_.form.kernel_elems;
    mask_.resize(elems);
    pack(0, std::vector<float>(static_cast<std::size_t>(own), 1.0F), mask_);
  }
  prepare_forward(by);
  if (is_.needs_input_grad)
    prepare_input(by);
  if (const auto own = own_gradient(of, weights_)) {
    prepare_own_weight(*own, false, weight_);
    prepare_own_weight(*own, true, weight_adds_);
    return;
  }
  prepare_weight(by, false, weight_);
  prepare_weight(by, true, weight_adds_);
}

// -- parameters --------------------------------------------------------------

memory::desc conv2d_kernel::plain_weights() const {
  const auto tag = is_.form.weights.size() == 5 ? memory::format_tag::goihw
                                                : memory::format_tag::oihw;
  return {is_.form.weights, memory::data_type::f32, tag};
}

parameter_storage conv2d_kernel::storage(int index, const parameter&) const {
  if (index == 1)
    return {is_.form.bias_elems(), dtype::f32};
  return {stored_elems(weights_), from_onednn(weights_.data_type())};
}

void conv2d_kernel::pack(int index, std::span<const float> plain,
                         std::span<float> stored) const {
  std::ranges::fill(stored, 0.0F);
  if (index == 1) {
    std::ranges::copy(plain, stored.begin());
    return;
  }
  std::vector<float> form(static_cast<std::size_t>(is_.form.weight_elems()));
  is_.form.spread(plain, form);
  reorder_now(plain_weights(), form.data(), weight_sum_, stored.data());
}

void conv2d_kernel::unpack(int index, std::span<const float> stored,
                           std::span<float> plain) const {
  if (index == 1) {
    std::ranges::copy(stored.first(plain.size()), plain.begin());
    return;
  }
  std::vector<float> form(static_cast<std::size_t>(is_.form.weight_elems()));
  reorder_now(weight_sum_, stored.data(), plain_weights(), form.data());
  is_.form.gather(form, plain);
}

// -- passes ------------------------------------------------------------------

/// A plain image that is wanted in the activation layout is reordered first.
/// The reorder has to know the channels that there are.
conv2d_kernel::place conv2d_kernel::seen_input(onednn_pass& pass,
                                               place input) const {
  if (is_.given_input.order == is_.input.order)
    return input;
  const auto given = to_onednn(is_.given_input);
  return pass.fetch(input, given,
                    {given.dims(), given.data_type(), tag_of(is_.input.order)});
}

void conv2d_kernel::prepare_forward(const conv2d_primitives& by) {
  const auto& made = by.forward;
  auto& pass = forward_;
  const auto x = pass.outside();
  const auto w = pass.outside();
  const auto b = pass.outside();
  const auto y = pass.outside();
  const auto given_y = to_onednn(is_.output);
  const auto from =
    pass.fetch(seen_input(pass, x), to_onednn(is_.input), made.src_desc());
  const auto to = pass.room(y, made.dst_desc(), given_y);
  std::vector<onednn_pass::argument> arguments{
    {DNNL_ARG_SRC, from, made.src_desc()},
    {DNNL_ARG_WEIGHTS, w, made.weights_desc()},
    {DNNL_ARG_DST, to, made.dst_desc()}};
  if (is_.has_bias)
    arguments.push_back({DNNL_ARG_BIAS, b, made.bias_desc()});
  pass.primitive(made, std::move(arguments));
  pass.store(to, made.dst_desc(), y, given_y);
}

void conv2d_kernel::prepare_input(const conv2d_primitives& by) {
  const auto& made = by.input;
  auto& pass = input_;
  const auto dy = pass.outside();
  const auto w = pass.outside();
  const auto dx = pass.outside();
  const auto given_x = to_onednn(is_.input);
  const auto from = pass.fetch(dy, to_onednn(is_.output), made.diff_dst_desc());
  const auto packed = pass.fetch(w, weights_, made.weights_desc());
  const auto to = pass.room(dx, made.diff_src_desc(), given_x);
  pass.primitive(made, {{DNNL_ARG_DIFF_DST, from, made.diff_dst_desc()},
                        {DNNL_ARG_WEIGHTS, packed, made.weights_desc()},
                        {DNNL_ARG_DIFF_SRC, to, made.diff_src_desc()}});
  pass.store(to, made.diff_src_desc(), dx, given_x);
}

void conv2d_kernel::prepare_weight(const conv2d_primitives& by, bool adds,
                                   onednn_pass& pass) {
  const auto& made = by.weight;
  const auto x = pass.outside();
  const auto dy = pass.outside();
  const auto dw = pass.outside();
  const auto db = pass.outside();
  const auto weight_elems = stored_elems(weight_sum_);
  const auto bias_elems = is_.form.bias_elems();
  const auto from =
    pass.fetch(seen_input(pass, x), to_onednn(is_.input), made.src_desc());
  const auto grad = pass.fetch(dy, to_onednn(is_.output), made.diff_dst_desc());
  const auto own = adds ? pass.temporary(weight_elems * 4) : dw;
  const auto own_bias = adds ? pass.temporary(bias_elems * 4) : db;
  const auto raw = pass.room(own, made.diff_weights_desc(), weight_sum_);
  std::vector<onednn_pass::argument> arguments{
    {DNNL_ARG_SRC, from, made.src_desc()},
    {DNNL_ARG_DIFF_DST, grad, made.diff_dst_desc()},
    {DNNL_ARG_DIFF_WEIGHTS, raw, made.diff_weights_desc()}};
  if (is_.has_bias)
    arguments.push_back({DNNL_ARG_DIFF_BIAS, own_bias, made.diff_bias_desc()});
  pass.primitive(made, std::move(arguments));
  pass.store(raw, made.diff_weights_desc(), own, weight_sum_);
  if (is_.form.is_merged())
    pass.multiply(own, mask_);
  if (adds)
    pass.add(own, dw, weight_elems);
  if (adds && is_.has_bias)
    pass.add(own_bias, db, bias_elems);
}

void conv2d_kernel::prepare_own_weight(const depthwise_gradient& by, bool adds,
                                       onednn_pass& pass) const {
  const auto x = pass.outside();
  const auto dy = pass.outside();
  const auto dw = pass.outside();
  const auto db = pass.outside(); // there is none
  static_cast<void>(db);
  pass.step([=](onednn_pass::pointers at) {
    const auto* from = at[static_cast<std::size_t>(x)];
    const auto* grad = at[static_cast<std::size_t>(dy)];
    auto* to = static_cast<float*>(at[static_cast<std::size_t>(dw)]);
    by.run(from, grad, to, adds);
  });
}

// -- calls -------------------------------------------------------------------

kernel_needs conv2d_kernel::needs() const {
  kernel_needs found;
  found.stashes_input = true;
  found.stashes_output = is_.has_relu;
  found.overwrites_output_grad = is_.has_relu;
  found.scratch_bytes =
    std::max({forward_.scratch_bytes(), input_.scratch_bytes(),
              weight_.scratch_bytes(), weight_adds_.scratch_bytes()});
  return found;
}

/// Parameter or gradient `index`, null if there is none.
operand at_or_null(std::span<const operand> all, std::size_t index) {
  return index < all.size() ? all[index] : operand{};
}

void conv2d_kernel::forward(const forward_call& call) {
  forward_.run({call.inputs[0], call.parameters[0],
                at_or_null(call.parameters, 1), call.output},
               call.scratch);
}

void conv2d_kernel::backward_input(const backward_call& call) {
  if (is_.has_relu)
    mask_by_positive(is_.output.type, call.output.data(),
                     call.output_grad.data(), is_.output.elems());
  if (is_.needs_input_grad && call.input_grads[0])
    input_.run({call.output_grad, call.parameters[0], call.input_grads[0]},
               call.scratch);
}

void conv2d_kernel::backward_weight(const backward_call& call) {
  auto& pass = call.accumulate ? weight_adds_ : weight_;
  pass.run({call.inputs[0], call.output_grad, call.parameter_grads[0],
            at_or_null(call.parameter_grads, 1)},
           call.scratch);
}

/// Computing in `compute`; null if oneDNN has no fast code for that.
std::unique_ptr<kernel> try_make(const conv2d_problem& problem, dtype compute) {
  const conv2d_primitives by{problem, compute};
  if (compute != dtype::f32 && !by.are_fast(problem))
    return nullptr;
  return std::make_unique<conv2d_kernel>(problem, by);
}

} // namespace

made_kernel make_conv2d(const kernel_context& context) {
  const team_of same_size{context.on};
  const auto problem = problem_of(context);
  return make_with_onednn(
    context, [&](dtype compute) { return try_make(problem, compute); });
}

} // namespace pd::cpu
