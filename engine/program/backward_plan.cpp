#include "engine/program/backward_plan.hpp"

#include <algorithm>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

bool is_trainable(const parameter& each) {
  return each.is_trainable;
}

class backward_planner {
public:
  backward_planner(stage_plan& plan, const typed_graph& net,
                   const kernel_source& kernels)
    : plan_{plan},
      net_{net},
      kernels_{kernels},
      carries_{carries_gradient(net)},
      grads_of_(plan.nodes.size()) {}

  result<void> run() {
    add_gradients_from_outside();
    for (int i = static_cast<int>(plan_.nodes.size()) - 1; i >= 0; --i)
      PD_CHECK(add_backward(i));
    return {};
  }

private:
  [[nodiscard]] bool is_loss(int i) const {
    return pd::is_loss(net_.net.nodes[at(i)]);
  }

  void add_gradients_from_outside() {
    for (const int i : plan_.outputs)
      if (!is_loss(i))
        grads_of_[at(i)].push_back(add_gradient(i, true));
  }

  int add_gradient(int value, bool is_external) {
    plan_.gradients.push_back({plan_.values[at(value)].type, is_external});
    return static_cast<int>(plan_.gradients.size()) - 1;
  }

  result<void> add_backward(int i) {
    auto& own = plan_.nodes[at(i)];
    const auto& grads = grads_of_[at(i)];
    own.input_grads.assign(own.inputs.size(), -1);
    own.output_grad = grads.empty() ? -1 : grads[0];
    own.other_output_grad = grads.size() > 1 ? grads[1] : -1;
    own.has_backward =
      own.run != nullptr && carries_[at(i)] && (is_loss(i) || !grads.empty());
    if (!own.has_backward)
      return {};
    for (std::size_t k = 0; k < own.inputs.size(); ++k)
      if (carries_[at(own.inputs[k])])
        PD_CHECK(add_input_grad(own, k));
    return {};
  }

  result<void> add_input_grad(planned_node& own, std::size_t k) {
    const int value = own.inputs[k];
    own.input_grads[k] = add_gradient(value, false);
    auto& grads = grads_of_[at(value)];
    const auto& maker = plan_.nodes[at(value)].needs;
    const std::size_t room = maker.takes_two_output_grads ? 2 : 1;
    if (grads.size() < room) {
      grads.push_back(own.input_grads[k]);
      return {};
    }
    PD_TRY(auto* adder, adder_for(value));
    own.sums.push_back({grads.back(), own.input_grads[k], adder});
    return {};
  }

  /// A kernel that adds two tensors of the type of `value`, in place.
  result<kernel*> adder_for(int value) {
    const node sum{
      plan_.nodes[at(value)].name + ".gradient_sum", "add", {}, {value, value}};
    PD_TRY(const auto rule, kernels_.ops.make_op(sum));
    const auto& type = plan_.values[at(value)].type;
    PD_TRY(auto made,
           kernels_.ops.make_kernel(
             {sum, *rule, {type, type}, type, kernels_.on, 0, false}));
    plan_.scratch_bytes =
      std::max(plan_.scratch_bytes, made->needs().scratch_bytes);
    plan_.adders.push_back(std::move(made));
    return plan_.adders.back().get();
  }

  stage_plan& plan_;
  const typed_graph& net_;
  kernel_source kernels_;
  std::vector<bool> carries_;
  std::vector<std::vector<int>> grads_of_; ///< by value, as its node gets them
};

} // namespace

bool is_from_loader(const node& source) {
  if (source.op == "labels")
    return true;
  const auto found = source.settings.find("activation");
  const bool is_activation =
    found != source.settings.end() && found->second == attribute{true};
  return source.op == "input" && !is_activation;
}

std::vector<bool> carries_gradient(const typed_graph& net) {
  std::vector<bool> carries;
  for (std::size_t i = 0; i < net.net.nodes.size(); ++i) {
    const auto& each = net.net.nodes[i];
    const auto inputs_carry = [&](int input) { return carries[at(input)]; };
    const bool is_from_stage = net.ops[i]->is_source() && !is_from_loader(each);
    carries.push_back(is_from_stage
                      || std::ranges::any_of(each.inputs, inputs_carry)
                      || std::ranges::any_of(
                        net.parameters(static_cast<int>(i)), is_trainable));
  }
  return carries;
}

result<void> plan_backward(stage_plan& plan, const typed_graph& net,
                           const kernel_source& kernels) {
  return backward_planner{plan, net, kernels}.run();
}

} // namespace pd
