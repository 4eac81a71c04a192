#include "tests/support/op_harness.hpp"

#include "ops/register.hpp"
#include "tests/support/guarded_memory.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>

namespace pd {

const registry& all_ops() {
  static const registry made = [] {
    registry all;
    register_ops(all);
    return all;
  }();
  return made;
}

std::string to_string(const op_variant& how) {
  return std::string{to_string(how.activation)} + ", " + to_string(how.order)
         + (how.is_plain_input ? ", plain input" : "")
         + (how.needs_input_grad ? "" : ", no input gradient");
}

namespace {

/// The CPU, with activations in a layout that need not be its own.
class ordered_device final : public cpu_device {
public:
  ordered_device(layout order, int threads)
    : cpu_device{device_options{.threads = threads}}, order_{order} {}

  [[nodiscard]] layout activation_layout(dtype) const override {
    return order_;
  }

private:
  layout order_;
};

std::vector<shape> shapes_of(const std::vector<host_tensor>& tensors) {
  std::vector<shape> found;
  found.reserve(tensors.size());
  for (const auto& each : tensors)
    found.push_back(each.extents);
  return found;
}

/// What pack() must write over, padding too.
constexpr float scribble = std::numeric_limits<float>::quiet_NaN();

bool is_number(dtype type) {
  return type == dtype::f32 || type == dtype::bf16;
}

} // namespace

// -- one node, compiled ------------------------------------------------------

struct op_harness::state {
  state(const op_case& of, const op_variant& as);

  op_variant how;
  ordered_device on;
  node at;
  std::unique_ptr<op> rule;
  std::vector<pd::parameter> parameter_rules;
  std::vector<tensor_type> input_types;
  tensor_type output_type;
  std::unique_ptr<pd::kernel> made;
  kernel_needs needs;
  std::vector<parameter_storage> storage;
  std::unique_ptr<stream> queue;
  bool is_training;

  std::vector<guarded_memory> inputs, input_grads;
  std::vector<guarded_memory> parameters, parameter_grads;
  guarded_memory output, output_grad, other_output_grad, workspace, scratch;

  bool forward_was_in_place = false;
  int grad_in_place = -1; ///< the input gradient that lies in output_grad
  call_mode backward_mode;
  allocation_counts allocations;

  void make_memory();
  [[nodiscard]] tensor_type input_type(const host_tensor& input) const;
  [[nodiscard]] std::size_t index_of(const std::string& suffix) const;
  [[nodiscard]] guarded_memory& output_place() {
    return forward_was_in_place ? inputs[0] : output;
  }
  [[nodiscard]] std::vector<guarded_memory*> all();
  [[nodiscard]] std::vector<operand> input_operands(bool are_wanted);
  [[nodiscard]] std::vector<operand> grad_operands(const call_mode& mode);
  [[nodiscard]] backward_call prepare_backward();

  template <class F>
  void run(F&& call);
  void check_after(const std::vector<guarded_memory*>& constant);
};

tensor_type op_harness::state::input_type(const host_tensor& input) const {
  if (!is_number(input.type))
    return {input.extents, input.type, layout::plain};
  if (input.extents.rank() != 4)
    return {input.extents, how.activation, layout::plain};
  if (how.is_plain_input)
    return {input.extents, dtype::f32, layout::plain};
  return {input.extents, how.activation, how.order};
}

op_harness::state::state(const op_case& of, const op_variant& as)
  : how{as}, on{as.order, as.threads}, is_training{of.is_training} {
  INFO(of.op << " " << of.name << ": " << to_string(how));
  at = node{"tested", of.op, of.settings, {}};
  auto op_made = all_ops().make_op(at);
  INFO((op_made ? "" : op_made.failure().message));
  REQUIRE(op_made.has_value());
  rule = *std::move(op_made);

  const auto shapes = shapes_of(of.inputs);
  const auto inferred = rule->infer(shapes);
  INFO((inferred ? "" : inferred.failure().message));
  REQUIRE(inferred.has_value());
  for (const auto& each : of.inputs)
    input_types.push_back(input_type(each));
  parameter_rules = rule->parameters(shapes);
  output_type = {*inferred, rule->output_type(how.activation),
                 inferred->rank() == 4 ? how.order : layout::plain};

  auto kernel_made = all_ops().make_kernel(
    {at, *rule, input_types, output_type, on, 1, how.needs_input_grad});
  INFO((kernel_made ? "" : kernel_made.failure().message));
  REQUIRE(kernel_made.has_value());
  made = *std::move(kernel_made);
  needs = made->needs();
  queue = on.make_stream();
  make_memory();
}

void op_harness::state::make_memory() {
  const auto room = [&](const tensor_type& type) {
    return guarded_memory{on.memory(), type.bytes()};
  };
  for (const auto& each : input_types) {
    inputs.push_back(room(each));
    input_grads.push_back(room(each));
  }
  for (std::size_t i = 0; i < parameter_rules.size(); ++i) {
    const auto index = static_cast<int>(i);
    storage.push_back(made->storage(index, parameter_rules[i]));
    const auto& [elems, type] = storage.back();
    parameters.push_back(room({shape{elems}, type, layout::plain}));
    parameter_grads.push_back(room({shape{elems}, dtype::f32, layout::plain}));
  }
  output = room(output_type);
  output_grad = room(output_type);
  other_output_grad = room(output_type);
  workspace = guarded_memory{on.memory(), needs.workspace_bytes};
  scratch = guarded_memory{on.memory(), needs.scratch_bytes};
}

std::size_t op_harness::state::index_of(const std::string& suffix) const {
  for (std::size_t i = 0; i < parameter_rules.size(); ++i)
    if (parameter_rules[i].suffix == suffix)
      return i;
  FAIL("no parameter " << suffix);
  return 0;
}

std::vector<guarded_memory*> op_harness::state::all() {
  std::vector<guarded_memory*> found{&output, &output_grad, &other_output_grad,
                                     &workspace, &scratch};
  for (auto* each : {&inputs, &input_grads, &parameters, &parameter_grads})
    for (auto& one : *each)
      found.push_back(&one);
  return found;
}

std::vector<operand> op_harness::state::input_operands(bool are_wanted) {
  std::vector<operand> found(inputs.size());
  for (std::size_t i = 0; are_wanted && i < inputs.size(); ++i)
    found[i] = operand{inputs[i].data()};
  return found;
}

std::vector<operand> op_harness::state::grad_operands(const call_mode& mode) {
  std::vector<operand> found(inputs.size());
  grad_in_place = -1;
  if (!how.needs_input_grad || how.is_plain_input)
    return found;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (is_number(input_types[i].type)
        && static_cast<int>(i) != mode.unwanted_input_grad)
      found[i] = operand{input_grads[i].data()};
  const int in_place = needs.backward_in_place;
  if (mode.is_in_place && in_place >= 0
      && in_place != mode.unwanted_input_grad) {
    found[static_cast<std::size_t>(in_place)] = operand{output_grad.data()};
    grad_in_place = in_place;
  }
  return found;
}

/// Runs one call on the stream and counts what it allocates.
template <class F>
void op_harness::state::run(F&& call) {
  scratch.scribble();
  const auto work = [this, &call] {
    const allocation_counter counter;
    call();
    allocations = counter.count();
  };
  queue->run(work);
  queue->synchronize();
}

/// `constant`: what the call must not have changed since keep().
void op_harness::state::check_after(
  const std::vector<guarded_memory*>& constant) {
  for (auto* each : all())
    CHECK(each->guards_are_whole());
  for (auto* each : constant)
    CHECK(each->is_as_kept());
}

// -- operands ----------------------------------------------------------------

op_harness::op_harness(const op_case& of, const op_variant& how)
  : state_{std::make_unique<state>(of, how)} {
  for (std::size_t i = 0; i < of.inputs.size(); ++i)
    set_input(static_cast<int>(i), of.inputs[i]);
  for (const auto& [suffix, values] : of.parameters)
    set_parameter(suffix, values);
  for (const auto& each : state_->parameter_rules)
    CHECK(of.parameters.contains(each.suffix));
}

op_harness::~op_harness() = default;

void op_harness::set_input(int index, const host_tensor& values) {
  const auto i = static_cast<std::size_t>(index);
  upload(values.values, state_->input_types[i], state_->inputs[i].data());
}

void op_harness::set_parameter(const std::string& suffix,
                               const host_tensor& values) {
  const auto i = state_->index_of(suffix);
  const auto& [elems, type] = state_->storage[i];
  CHECK(values.extents == state_->parameter_rules[i].extents);
  std::vector<float> stored(static_cast<std::size_t>(elems), scribble);
  state_->made->pack(static_cast<int>(i), values.values, stored);
  upload(stored, {shape{elems}, type, layout::plain},
         state_->parameters[i].data());
}

host_tensor op_harness::output() const {
  const auto& type = state_->output_type;
  return {type.extents, download(type, state_->output_place().data()),
          dtype::f32};
}

host_tensor op_harness::input_grad(int index) const {
  const auto i = static_cast<std::size_t>(index);
  const auto& place = index == state_->grad_in_place ? state_->output_grad
                                                     : state_->input_grads[i];
  const auto& type = state_->input_types[i];
  return {type.extents, download(type, place.data()), dtype::f32};
}

host_tensor op_harness::parameter(const std::string& suffix) const {
  const auto i = state_->index_of(suffix);
  const auto& [elems, type] = state_->storage[i];
  const auto stored =
    download({shape{elems}, type, layout::plain}, state_->parameters[i].data());
  const auto& extents = state_->parameter_rules[i].extents;
  host_tensor plain{extents, {}, dtype::f32};
  plain.values.resize(static_cast<std::size_t>(extents.elems()));
  state_->made->unpack(static_cast<int>(i), stored, plain.values);
  return plain;
}

host_tensor op_harness::parameter_grad(const std::string& suffix) const {
  const auto i = state_->index_of(suffix);
  const tensor_type type{shape{state_->storage[i].elems}, dtype::f32,
                         layout::plain};
  const auto stored = download(type, state_->parameter_grads[i].data());
  const auto& extents = state_->parameter_rules[i].extents;
  host_tensor plain{extents, {}, dtype::f32};
  plain.values.resize(static_cast<std::size_t>(extents.elems()));
  state_->made->unpack(static_cast<int>(i), stored, plain.values);
  std::vector<float> again(stored.size(), scribble);
  state_->made->pack(static_cast<int>(i), plain.values, again);
  CHECK(std::ranges::equal(stored, again)); // the padding has zero gradients
  return plain;
}

const op& op_harness::rule() const {
  return *state_->rule;
}

const kernel& op_harness::kernel() const {
  return *state_->made;
}

allocation_counts op_harness::allocations() const {
  return state_->allocations;
}

// -- calls -------------------------------------------------------------------

namespace {

std::vector<operand> operands(std::vector<guarded_memory>& of) {
  std::vector<operand> found;
  found.reserve(of.size());
  for (auto& each : of)
    found.emplace_back(each.data());
  return found;
}

} // namespace

void op_harness::forward(const call_mode& mode) {
  auto& st = *state_;
  const bool may = st.needs.forward_in_place && !st.needs.stashes_input
                   && st.input_types[0] == st.output_type;
  st.forward_was_in_place = mode.is_in_place && may;
  st.output.scribble();
  st.workspace.scribble();
  std::vector<guarded_memory*> constant;
  for (std::size_t i = 0; i < st.inputs.size(); ++i)
    if (i > 0 || !st.forward_was_in_place)
      constant.push_back(&st.inputs[i]);
  for (std::size_t i = 0; i < st.parameters.size(); ++i)
    if (st.parameter_rules[i].is_trainable || !st.is_training)
      constant.push_back(&st.parameters[i]);
  for (auto* each : constant)
    each->keep();

  const auto inputs = st.input_operands(true);
  const auto parameters = operands(st.parameters);
  const forward_call call{inputs,
                          operand{st.output_place().data()},
                          parameters,
                          operand{st.workspace.data()},
                          operand{st.scratch.data()},
                          mode.microbatch,
                          st.is_training};
  st.run([&] { st.made->forward(call); });
  st.check_after(constant);
  CHECK(padding_is_zero(st.output_type, st.output_place().data()));
}

/// All but the gradients.
backward_call op_harness::state::prepare_backward() {
  if (!needs.stashes_input)
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (i > 0 || !forward_was_in_place)
        inputs[i].scribble();
  if (!needs.stashes_output)
    output_place().scribble();
  backward_call call;
  call.output = operand{needs.stashes_output ? output_place().data() : nullptr};
  call.workspace = operand{workspace.data()};
  call.scratch = operand{scratch.data()};
  call.microbatch = backward_mode.microbatch;
  return call;
}

namespace {

/// Two halves that are unlike, so that taking one of them shows.
void split(const std::vector<float>& whole, std::vector<float>& some,
           std::vector<float>& rest) {
  for (std::size_t i = 0; i < whole.size(); ++i) {
    some.push_back(i % 3 == 0 ? 2 * whole[i] : 0.5F * whole[i]);
    rest.push_back(whole[i] - some.back());
  }
}

} // namespace

void op_harness::backward_input(const host_tensor& output_grad,
                                const call_mode& mode) {
  auto& st = *state_;
  st.backward_mode = mode;
  auto call = st.prepare_backward();
  const bool is_split =
    mode.splits_output_grad && st.needs.takes_two_output_grads;
  std::vector<float> some = output_grad.values;
  if (is_split) {
    std::vector<float> rest;
    some.clear();
    split(output_grad.values, some, rest);
    upload(rest, st.output_type, st.other_output_grad.data());
    call.other_output_grad = operand{st.other_output_grad.data()};
  }
  if (!some.empty()) {
    upload(some, st.output_type, st.output_grad.data());
    call.output_grad = operand{st.output_grad.data()};
  }
  const auto inputs = st.input_operands(st.needs.stashes_input);
  const auto parameters = operands(st.parameters);
  const auto grads = st.grad_operands(mode);
  for (auto& each : st.input_grads)
    each.scribble();
  std::vector<guarded_memory*> constant{&st.other_output_grad};
  if (!st.needs.overwrites_output_grad && st.grad_in_place < 0)
    constant.push_back(&st.output_grad);
  if (st.needs.stashes_output)
    constant.push_back(&st.output_place());
  for (auto* list : {&st.inputs, &st.parameters})
    for (auto& each : *list)
      constant.push_back(&each);
  for (auto* each : constant)
    each->keep();
  call.inputs = inputs;
  call.parameters = parameters;
  call.input_grads = grads;
  st.run([&] { st.made->backward_input(call); });
  st.check_after(constant);
  for (std::size_t i = 0; i < grads.size(); ++i)
    if (grads[i])
      CHECK(padding_is_zero(st.input_types[i], grads[i].as<std::byte>()));
}

void op_harness::backward_weight(bool accumulate) {
  auto& st = *state_;
  auto call = st.prepare_backward();
  call.accumulate = accumulate;
  const auto inputs = st.input_operands(st.needs.stashes_input);
  const auto parameters = operands(st.parameters);
  auto grads = operands(st.parameter_grads);
  for (std::size_t i = 0; i < grads.size(); ++i)
    if (!st.parameter_rules[i].is_trainable)
      grads[i] = operand{};
    else if (!accumulate)
      st.parameter_grads[i].scribble();
  std::vector<guarded_memory*> constant;
  for (auto* list : {&st.inputs, &st.parameters, &st.input_grads})
    for (auto& each : *list)
      constant.push_back(&each);
  for (auto* each : constant)
    each->keep();
  call.inputs = inputs;
  call.parameters = parameters;
  call.parameter_grads = grads;
  call.output_grad = operand{st.output_grad.data()};
  if (st.backward_mode.splits_output_grad && st.needs.takes_two_output_grads)
    call.other_output_grad = operand{st.other_output_grad.data()};
  st.run([&] { st.made->backward_weight(call); });
  st.check_after(constant);
}

void op_harness::forward_another(const op_case& of) {
  auto& st = *state_;
  std::vector<std::vector<std::byte>> ours;
  for (auto* each : st.all())
    ours.push_back(each->contents());
  for (std::size_t i = 0; i < of.inputs.size(); ++i) {
    auto other = of.inputs[i];
    if (is_number(other.type))
      std::ranges::reverse(other.values);
    set_input(static_cast<int>(i), other);
  }
  forward({.microbatch = 1});
  backward_input(of.output_grad, {.microbatch = 1});
  backward_weight();
  auto each = ours.begin();
  for (auto* memory : st.all())
    memory->set_contents(*each++);
  st.forward_was_in_place = false;
}

} // namespace pd
