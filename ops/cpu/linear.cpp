/// linear on oneDNN's matrix product. Weights stay as PyTorch has them, so
/// that the product adds to the weight gradient where it lies: another copy of
/// VGG's first one would be 392 MiB.

#include "ops/linear.hpp"

#include "ops/cpu/channel_view.hpp"
#include "ops/cpu/column_sum.hpp"
#include "ops/cpu/convert.hpp"
#include "ops/cpu/kernels.hpp"
#include "ops/cpu/onednn.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace pd::cpu {

namespace {

using dnnl::memory;
using product = dnnl::matmul::primitive_desc;

struct linear_problem {
  std::int64_t samples = 0; ///< or their tokens
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  dtype given = dtype::f32; ///< of activations
  bool has_bias = false;
  bool has_relu = false;
  bool needs_input_grad = true;
};

linear_problem problem_of(const kernel_context& context) {
  const auto& rule = static_cast<const linear&>(context.rule);
  const auto& x = context.inputs[0].extents;
  const auto inputs = x[x.rank() - 1];
  return {x.elems() / inputs,      inputs,          rule.set().out_features,
          context.output.type,     rule.set().bias, rule.set().relu,
          context.needs_input_grad};
}

memory::desc matrix(std::int64_t rows, std::int64_t columns, dtype type,
                    bool is_transposed = false) {
  return {{rows, columns},
          to_onednn(type),
          is_transposed ? memory::format_tag::ba : memory::format_tag::ab};
}

// -- the products ------------------------------------------------------------

/// y = x W^T + b
product make_forward(const linear_problem& of, dtype compute) {
  auto attributes = user_scratchpad();
  if (of.has_relu) {
    dnnl::post_ops after;
    after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(after);
  }
  const auto x = matrix(of.samples, of.inputs, compute);
  const auto w = matrix(of.inputs, of.outputs, compute, true);
  const auto y = matrix(of.samples, of.outputs, compute);
  const auto b =
    of.has_bias ? matrix(1, of.outputs, dtype::f32) : memory::desc{};
  return {{x, w, b, y}, attributes, onednn_engine(), true};
}

/// dx = dy W
product make_backward_input(const linear_problem& of, dtype compute) {
  return {{matrix(of.samples, of.outputs, compute),
           matrix(of.outputs, of.inputs, compute),
           matrix(of.samples, of.inputs, compute)},
          user_scratchpad(),
          onednn_engine(),
          true};
}

/// dW = dy^T x, or dW += dy^T x
product make_backward_weight(const linear_problem& of, dtype compute,
                             bool adds) {
  auto attributes = user_scratchpad();
  if (adds) {
    dnnl::post_ops after;
    after.append_sum();
    attributes.set_post_ops(after);
  }
  return {{matrix(of.outputs, of.samples, compute, true),
           matrix(of.samples, of.inputs, compute),
           matrix(of.outputs, of.inputs, dtype::f32)},
          attributes,
          onednn_engine(),
          true};
}

struct linear_products {
  product forward, input, weight, weight_adds;

  linear_products(const linear_problem& of, dtype compute)
    : forward{make_forward(of, compute)},
      input{make_backward_input(of, compute)},
      weight{make_backward_weight(of, compute, false)},
      weight_adds{make_backward_weight(of, compute, true)} {}

  [[nodiscard]] bool are_fast() const {
    return !is_reference(forward) && !is_reference(input)
           && !is_reference(weight) && !is_reference(weight_adds);
  }
};

// -- the kernel --------------------------------------------------------------

/// Thread: the stage's, with its OpenMP team. Allocates nothing after make.
class linear_kernel final : public kernel {
public:
  linear_kernel(const linear_problem& of, const linear_products& by);

  [[nodiscard]] kernel_needs needs() const override;
  void forward(const forward_call& call) override;
  void backward_input(const backward_call& call) override;
  void backward_weight(const backward_call& call) override;
  [[nodiscard]] parameter_storage storage(int index,
                                          const parameter& rule) const override;
  [[nodiscard]] std::string describe() const override { return description_; }

private:
  using place = onednn_pass::place;

  void multiply(onednn_pass& pass, const product& made,
                std::array<memory::desc, 3> given, bool has_bias) const;

  linear_problem is_;
  dtype compute_;
  std::string description_;
  onednn_pass forward_, input_, weight_, weight_adds_;
};

/// One product with operands as calls bring them: left, right[, bias], result.
void linear_kernel::multiply(onednn_pass& pass, const product& made,
                             std::array<memory::desc, 3> given,
                             bool has_bias) const {
  const auto left = pass.outside();
  const auto right = pass.outside();
  const auto bias = pass.outside();
  const auto result = pass.outside();
  const auto x = pass.fetch(left, given[0], made.src_desc());
  const auto w = pass.fetch(right, given[1], made.weights_desc());
  const auto y = pass.room(result, made.dst_desc(), given[2]);
  std::vector<onednn_pass::argument> arguments{
    {DNNL_ARG_SRC, x, made.src_desc()},
    {DNNL_ARG_WEIGHTS, w, made.weights_desc()},
    {DNNL_ARG_DST, y, made.dst_desc()}};
  if (has_bias)
    arguments.push_back(
      {DNNL_ARG_BIAS, bias, matrix(1, is_.outputs, dtype::f32)});
  pass.primitive(made, std::move(arguments));
  pass.store(y, made.dst_desc(), result, given[2]);
}

linear_kernel::linear_kernel(const linear_problem& of,
                             const linear_products& by)
  : is_{of},
    compute_{from_onednn(by.forward.weights_desc().data_type())},
    description_{by.forward.impl_info_str()} {
  const auto x = matrix(of.samples, of.inputs, of.given);
  const auto y = matrix(of.samples, of.outputs, of.given);
  const auto y_flipped = matrix(of.outputs, of.samples, of.given, true);
  const auto w = matrix(of.outputs, of.inputs, compute_);
  const auto w_flipped = matrix(of.inputs, of.outputs, compute_, true);
  const auto dw = matrix(of.outputs, of.inputs, dtype::f32);
  multiply(forward_, by.forward, {x, w_flipped, y}, of.has_bias);
  if (of.needs_input_grad)
    multiply(input_, by.input, {y, w, x}, false);
  multiply(weight_, by.weight, {y_flipped, x, dw}, false);
  multiply(weight_adds_, by.weight_adds, {y_flipped, x, dw}, false);
  if (of.given != compute_)
    description_ += ", computes in f32";
}

kernel_needs linear_kernel::needs() const {
  kernel_needs found;
  found.stashes_input = true;
  found.stashes_output = is_.has_relu;
  found.overwrites_output_grad = is_.has_relu;
  found.scratch_bytes =
    std::max({forward_.scratch_bytes(), input_.scratch_bytes(),
              weight_.scratch_bytes(), weight_adds_.scratch_bytes()});
  return found;
}

parameter_storage linear_kernel::storage(int index,
                                         const parameter& rule) const {
  return {rule.extents.elems(), index == 0 ? compute_ : dtype::f32};
}

void linear_kernel::forward(const forward_call& call) {
  const auto bias = is_.has_bias ? call.parameters[1] : operand{};
  forward_.run({call.inputs[0], call.parameters[0], bias, call.output},
               call.scratch);
}

void linear_kernel::backward_input(const backward_call& call) {
  if (is_.has_relu)
    mask_by_positive(is_.given, call.output.data(), call.output_grad.data(),
                     is_.samples * is_.outputs);
  if (is_.needs_input_grad && call.input_grads[0])
    input_.run(
      {call.output_grad, call.parameters[0], operand{}, call.input_grads[0]},
      call.scratch);
}

void linear_kernel::backward_weight(const backward_call& call) {
  auto& pass = call.accumulate ? weight_adds_ : weight_;
  pass.run(
    {call.output_grad, call.inputs[0], operand{}, call.parameter_grads[0]},
    call.scratch);
  if (!is_.has_bias)
    return;
  const row_span rows{is_.samples, is_.outputs, is_.outputs};
  with_type(is_.given, [&]<class T>(T*) {
    sum_rows(call.output_grad.as<T>(), rows, call.parameter_grads[1].f32(),
             call.accumulate);
  });
}

/// Computing in `compute`; null if oneDNN has no fast code for that.
std::unique_ptr<kernel> try_make(const linear_problem& problem, dtype compute) {
  const linear_products by{problem, compute};
  if (compute != dtype::f32 && !by.are_fast())
    return nullptr;
  return std::make_unique<linear_kernel>(problem, by);
}

} // namespace

made_kernel make_linear(const kernel_context& context) {
  const team_of same_size{context.on};
  const auto problem = problem_of(context);
  return make_with_onednn(
    context, [&](dtype compute) { return try_make(problem, compute); });
}

} // namespace pd::cpu
