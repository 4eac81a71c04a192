#include "engine/program/stage_program.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

const tensor& at_or_die(std::span<const tensor> all, std::size_t index) {
  PD_ASSERT(index < all.size());
  return all[index];
}

/// Tells the buckets of one backward as it goes through the nodes.
class bucket_teller {
public:
  bucket_teller(const bucket_watch& watch, stream& work)
    : watch_{watch}, work_{work} {}

  /// All work of the nodes from `node` on is queued.
  void came_to(std::size_t node) {
    for (; next_ < watch_.buckets.size()
           && at(watch_.buckets[next_].node) >= node;
         ++next_)
      watch_.on_whole(static_cast<int>(next_), work_.record());
  }

private:
  const bucket_watch& watch_;
  stream& work_;
  std::size_t next_ = 0;
};

} // namespace

/// The calls of one node for one slot. Their operands are placed once; what
/// comes from outside is filled in when it comes.
struct stage_program::prepared_node {
  struct sum {
    kernel* adder = nullptr;
    std::array<operand, 2> operands;
    forward_call call;
  };

  kernel* run = nullptr;
  std::vector<operand> inputs;
  std::vector<operand> inputs_again; ///< as the backward reads them
  std::vector<operand> input_grads;
  std::vector<operand> parameters;
  std::vector<operand> parameter_grads;
  std::vector<sum> sums;
  forward_call forward;
  forward_call again;
  backward_call backward;
};

struct stage_program::slot {
  std::int64_t microbatch = -1; ///< -1: free
  buffer arena;
  int half = -1; ///< of half_arenas_, from its input half to its weight half
  std::vector<operand> values;
  std::vector<operand> values_again; ///< as the backward reads them
  std::vector<operand> grads;
  std::vector<prepared_node> nodes;
  /// From outside and to outside, values then gradients, until the work of the
  /// microbatch is done.
  std::vector<tensor> held;
  weight_version* version = nullptr;
  event done; ///< after the work of the last microbatch
};

result<std::unique_ptr<stage_program>>
stage_program::make(stage_plan plan, device& on, int weight_versions) {
  std::unique_ptr<stage_program> made{new stage_program{std::move(plan)}};
  PD_CHECK(made->allocate(on, weight_versions));
  made->initialize();
  return made;
}

stage_program::stage_program(stage_plan plan) : plan_{std::move(plan)} {}

stage_program::~stage_program() {
  if (work_)
    work_->synchronize();
}

result<void> stage_program::allocate(device& on, int weight_versions) {
  on_ = &on;
  work_ = on.make_stream();
  PD_TRY(weights_, weight_store::make(plan_, weight_versions, on));
  PD_TRY(scratch_, on.memory().allocate(plan_.scratch_bytes));
  PD_CHECK(allocate_handoffs());
  PD_CHECK(allocate_shared_arenas());
  for (int i = 0; i < plan_.options.in_flight; ++i) {
    PD_TRY(auto each, make_slot(on));
    slots_.push_back(std::move(each));
  }
  return {};
}

result<void> stage_program::allocate_handoffs() {
  input_grads_.resize(plan_.gradients.size());
  for (const auto* part : {&plan_.values, &plan_.gradients})
    for (const auto& each : *part) {
      auto& buffers = handoffs_.emplace_back();
      const int count = each.is_handed_on ? plan_.options.handoff_buffers : 0;
      for (int i = 0; i < count; ++i) {
        PD_TRY(auto made, on_->memory().allocate(each.type.bytes()));
        buffers.push_back(std::move(made));
      }
    }
  return {};
}

result<void> stage_program::allocate_shared_arenas() {
  const auto [own, shared, half] = plan_.arena_bytes;
  PD_TRY(shared_arena_, on_->memory().allocate(shared));
  for (int i = 0; half > 0 && i < plan_.arenas(arena_kind::halves); ++i) {
    PD_TRY(auto made, on_->memory().allocate(half));
    half_arenas_.push_back(std::move(made));
  }
  return {};
}

/// Null in a halves' arena that the slot does not have now.
operand stage_program::locate(const arena_place& where, const slot& in) const {
  switch (where.in) {
  case arena_kind::microbatch:
    return operand{in.arena.data() + where.offset};
  case arena_kind::shared:
    return operand{shared_arena_.data() + where.offset};
  case arena_kind::halves:
    return in.half < 0
             ? operand{}
             : operand{half_arenas_[at(in.half)].data() + where.offset};
  }
  return {};
}

result<std::unique_ptr<stage_program::slot>>
stage_program::make_slot(device& on) {
  auto made = std::make_unique<slot>();
  PD_TRY(made->arena, on.memory().allocate(plan_.arena_bytes[0]));
  for (const auto& each : plan_.values)
    made->values.push_back(each.is_external || each.is_handed_on
                             ? operand{}
                             : locate(each.place, *made));
  made->values_again.resize(plan_.values.size());
  made->grads.resize(plan_.gradients.size());
  made->held.resize(plan_.values.size() + plan_.gradients.size());
  for (const auto& each : plan_.nodes)
    made->nodes.push_back(prepare(each, *made));
  return made;
}

stage_program::prepared_node stage_program::prepare(const planned_node& from,
                                                    const slot& in) const {
  prepared_node node;
  node.run = from.run.get();
  node.inputs.resize(from.inputs.size());
  node.inputs_again.resize(from.inputs.size());
  node.input_grads.resize(from.inputs.size());
  node.parameters.resize(from.parameters.size());
  node.parameter_grads.resize(from.parameters.size());
  const operand scratch{scratch_.data()};
  node.forward.workspace = locate(from.workspace, in);
  node.forward.scratch = node.again.scratch = node.backward.scratch = scratch;
  node.again.is_repeat = true;
  for (const auto& each : from.sums) {
    auto& sum = node.sums.emplace_back();
    sum.adder = each.adder;
    sum.call.scratch = scratch;
  }
  return node;
}

void stage_program::initialize() {
  for (const auto& each : plan_.parameters) {
    std::vector<float> values(
      static_cast<std::size_t>(each.rule.extents.elems()));
    each.rule.initial.fill(plan_.options.seed, each.name, values);
    write(each, values);
  }
}

// -- one microbatch ----------------------------------------------------------

stage_program::slot& stage_program::slot_of(std::int64_t microbatch) {
  const auto is_it = [&](const auto& each) {
    return each->microbatch == microbatch;
  };
  const auto found = std::ranges::find_if(slots_, is_it);
  PD_ASSERT(found != slots_.end());
  return **found;
}

stage_program::slot& stage_program::free_slot() {
  auto& found = slot_of(-1);
  found.done.block();
  let_go(found);
  return found;
}

void stage_program::let_go(slot& in) {
  std::ranges::fill(in.held, tensor{});
}

// -- what goes to other stages -----------------------------------------------

/// A buffer that nobody holds. which: of handoffs_.
tensor stage_program::hand_on(std::size_t which, const tensor_type& type) {
  auto& buffers = handoffs_[which];
  const auto is_free = [](const buffer& each) { return !each.is_shared(); };
  if (const auto found = std::ranges::find_if(buffers, is_free);
      found != buffers.end())
    return {*found, 0, type, {}};
  auto made = on_->memory().allocate(type.bytes());
  if (!made)
    throw std::runtime_error{made.failure().message};
  extra_handoff_bytes_ += type.bytes();
  buffers.push_back(*made);
  return {std::move(*made), 0, type, {}};
}

void stage_program::bind_handed_on_values(slot& in) {
  for (std::size_t i = 0; i < plan_.values.size(); ++i)
    if (plan_.values[i].is_handed_on) {
      in.held[i] = hand_on(i, plan_.values[i].type);
      in.values[i] = operand{in.held[i].bytes()};
    }
}

void stage_program::bind_handed_on_grads(slot& in) {
  const auto first = plan_.values.size();
  for (std::size_t g = 0; g < plan_.gradients.size(); ++g)
    if (plan_.gradients[g].is_handed_on) {
      in.held[first + g] = hand_on(first + g, plan_.gradients[g].type);
      in.grads[g] = operand{in.held[first + g].bytes()};
      input_grads_[g] = in.held[first + g];
    }
}

void stage_program::bind_parameters(slot& in) {
  for (std::size_t i = 0; i < plan_.nodes.size(); ++i)
    for (std::size_t k = 0; k < plan_.nodes[i].parameters.size(); ++k) {
      const auto& which = plan_.parameters[at(plan_.nodes[i].parameters[k])];
      auto& node = in.nodes[i];
      if (!which.rule.is_trainable) {
        node.parameters[k] = operand{weights_->statistics() + which.offset};
        continue;
      }
      node.parameters[k] = which.storage.type == dtype::bf16
                             ? operand{in.version->bf16 + 2 * which.offset}
                             : operand{in.version->f32 + which.offset};
      if (plan_.options.is_training)
        node.parameter_grads[k] = operand{weights_->gradients() + which.offset};
    }
}

/// What comes from outside: waits for it, holds it until the work is done.
operand stage_program::hold(tensor& place, const placed_tensor& planned,
                            const tensor& given) {
  PD_ASSERT(given.type == planned.type);
  work_->wait(given.ready);
  place = given;
  return operand{place.bytes()};
}

void stage_program::bind_inputs(slot& in, std::span<const tensor> inputs) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < plan_.values.size(); ++i)
    if (plan_.values[i].is_external)
      in.values[i] =
        hold(in.held[i], plan_.values[i], at_or_die(inputs, next++));
  PD_ASSERT_EQ(next, inputs.size());
}

void stage_program::bind_output_grads(slot& in, std::span<const tensor> grads) {
  std::size_t next = 0;
  for (std::size_t g = 0; g < plan_.gradients.size(); ++g)
    if (plan_.gradients[g].is_external)
      in.grads[g] = hold(in.held[plan_.values.size() + g], plan_.gradients[g],
                         at_or_die(grads, next++));
  PD_ASSERT_EQ(next, grads.size());
}

/// Everything as the backward finds it, in the arenas that it has now.
void stage_program::bind_backward(slot& in,
                                  std::span<const tensor> output_grads) {
  for (std::size_t i = 0; i < plan_.values.size(); ++i) {
    const auto& planned = plan_.values[i];
    in.values_again[i] = planned.again && !planned.is_handed_on
                           ? locate(*planned.again, in)
                           : in.values[i];
  }
  for (std::size_t g = 0; g < plan_.gradients.size(); ++g)
    if (!plan_.gradients[g].is_external)
      in.grads[g] = locate(plan_.gradients[g].place, in);
  for (std::size_t i = 0; i < plan_.nodes.size(); ++i) {
    const auto& planned = plan_.nodes[i];
    auto& node = in.nodes[i];
    for (std::size_t k = 0; k < planned.inputs.size(); ++k)
      node.inputs_again[k] = in.values_again[at(planned.inputs[k])];
    node.again.workspace = node.backward.workspace =
      locate(planned.workspace_again.value_or(planned.workspace), in);
  }
  bind_output_grads(in, output_grads);
  bind_handed_on_grads(in);
}

void stage_program::queue_forward(slot& in, std::size_t i, run_mode mode) {
  auto& node = in.nodes[i];
  const bool is_left_out =
    mode == run_mode::evaluation && plan_.nodes[i].is_of_auxiliary_head;
  if (node.run == nullptr || is_left_out)
    return;
  for (std::size_t k = 0; k < node.inputs.size(); ++k)
    node.inputs[k] = in.values[at(plan_.nodes[i].inputs[k])];
  node.forward.inputs = node.inputs;
  node.forward.output = in.values[i];
  node.forward.parameters = node.parameters;
  node.forward.microbatch = in.microbatch;
  node.forward.is_training = mode == run_mode::training;
  work_->run([&node] { node.run->forward(node.forward); });
}

void stage_program::queue_again(slot& in, std::size_t i) {
  const auto& planned = plan_.values[i];
  auto& node = in.nodes[i];
  node.again.inputs = node.inputs_again;
  node.again.output = planned.again ? locate(*planned.again, in) : in.values[i];
  node.again.parameters = node.parameters;
  node.again.microbatch = in.microbatch;
  work_->run([&node] { node.run->forward(node.again); });
}

/// Of the segment that ends with node `last`, if one does.
void stage_program::queue_second_forward(slot& in, std::size_t last) {
  const auto& starts = plan_.segments;
  const auto next = std::ranges::upper_bound(starts, static_cast<int>(last));
  const bool is_end = next == starts.end() ? last + 1 == plan_.nodes.size()
                                           : at(*next) == last + 1;
  if (!is_end)
    return;
  for (auto i = at(*std::prev(next)); i <= last; ++i)
    if (plan_.nodes[i].is_repeated)
      queue_again(in, i);
}

void stage_program::queue_backward_input(slot& in, std::size_t i) {
  const auto& planned = plan_.nodes[i];
  auto& node = in.nodes[i];
  const auto grad = [&in](int g) {
    return g < 0 ? operand{} : in.grads[at(g)];
  };
  std::ranges::transform(planned.input_grads, node.input_grads.begin(), grad);
  auto& call = node.backward;
  call.inputs = node.inputs_again;
  call.output = in.values_again[i];
  call.output_grad = grad(planned.output_grad);
  call.other_output_grad = grad(planned.other_output_grad);
  call.input_grads = node.input_grads;
  call.parameters = node.parameters;
  call.parameter_grads = node.parameter_grads;
  call.microbatch = in.microbatch;
  work_->run([&node] { node.run->backward_input(node.backward); });
  for (std::size_t k = 0; k < planned.sums.size(); ++k) {
    auto& sum = node.sums[k];
    sum.operands = {grad(planned.sums[k].target), grad(planned.sums[k].addend)};
    sum.call.inputs = sum.operands;
    sum.call.output = sum.operands[0];
    work_->run([&sum] { sum.adder->forward(sum.call); });
  }
}

void stage_program::queue_backward_weight(slot& in, std::size_t i,
                                          bool accumulate) {
  auto& node = in.nodes[i];
  if (node.parameter_grads.empty())
    return;
  node.backward.accumulate = accumulate;
  work_->run([&node] { node.run->backward_weight(node.backward); });
}

void stage_program::forward(std::int64_t microbatch,
                            std::span<const tensor> inputs, run_mode mode,
                            std::int64_t version) {
  auto& in = free_slot();
  in.microbatch = microbatch;
  in.version = version == newest_version ? &weights_->newest()
                                         : &weights_->version(version);
  ++in.version->pins;
  bind_parameters(in);
  bind_inputs(in, inputs);
  bind_handed_on_values(in);
  for (std::size_t i = 0; i < plan_.nodes.size(); ++i)
    queue_forward(in, i, mode);
}

void stage_program::backward(std::int64_t microbatch, bool accumulate,
                             std::span<const tensor> output_grads,
                             const bucket_watch& watch) {
  PD_ASSERT(!plan_.options.splits_backward);
  auto& in = slot_of(microbatch);
  bind_backward(in, output_grads);
  bucket_teller buckets{watch, *work_};
  for (std::size_t i = plan_.nodes.size(); i-- > 0;) {
    queue_second_forward(in, i);
    if (plan_.nodes[i].has_backward) {
      queue_backward_input(in, i);
      queue_backward_weight(in, i, accumulate);
    }
    buckets.came_to(i);
  }
  end(in);
}

void stage_program::backward_input(std::int64_t microbatch,
                                   std::span<const tensor> output_grads) {
  PD_ASSERT(plan_.options.splits_backward);
  auto& in = slot_of(microbatch);
  in.half = free_half();
  bind_backward(in, output_grads);
  for (std::size_t i = plan_.nodes.size(); i-- > 0;) {
    queue_second_forward(in, i);
    if (plan_.nodes[i].has_backward)
      queue_backward_input(in, i);
  }
}

/// The arena of halves that no microbatch has; -1: there are none.
int stage_program::free_half() const {
  for (int h = 0; h < std::ssize(half_arenas_); ++h)
    if (std::ranges::none_of(slots_,
                             [h](const auto& each) { return each->half == h; }))
      return h;
  PD_ASSERT(half_arenas_.empty());
  return -1;
}

void stage_program::backward_weight(std::int64_t microbatch, bool accumulate,
                                    const bucket_watch& watch) {
  PD_ASSERT(plan_.options.splits_backward);
  auto& in = slot_of(microbatch);
  bucket_teller buckets{watch, *work_};
  for (std::size_t i = plan_.nodes.size(); i-- > 0;) {
    if (plan_.nodes[i].has_backward)
      queue_backward_weight(in, i, accumulate);
    buckets.came_to(i);
  }
  end(in);
}

void stage_program::release(std::int64_t microbatch) {
  end(slot_of(microbatch));
}

void stage_program::end(slot& in) {
  in.done = work_->record();
  in.microbatch = -1;
  in.half = -1;
  --in.version->pins;
  if (in.done.is_done())
    let_go(in);
}

// -- what the caller reads ---------------------------------------------------

tensor stage_program::output(std::int64_t microbatch, int index) {
  auto& in = slot_of(microbatch);
  const auto& placed = plan_.values[at(plan_.outputs[at(index)])];
  if (!placed.is_handed_on)
    return {in.arena, placed.place.offset, placed.type, work_->record()};
  auto made = in.held[at(plan_.outputs[at(index)])];
  made.ready = work_->record();
  return made;
}

tensor stage_program::take_input_grad(int node) {
  const int g = plan_.nodes[at(node)].output_grad;
  PD_ASSERT(g >= 0);
  auto taken = std::exchange(input_grads_[at(g)], {});
  PD_ASSERT(static_cast<bool>(taken.memory));
  taken.ready = work_->record();
  return taken;
}

int stage_program::in_flight() const {
  return static_cast<int>(std::ranges::count_if(
    slots_, [](const auto& each) { return each->microbatch >= 0; }));
}

std::vector<float> stage_program::unpacked(const stored_parameter& which,
                                           const float* stored) const {
  std::vector<float> plain(
    static_cast<std::size_t>(which.rule.extents.elems()));
  const std::span values{stored, static_cast<std::size_t>(which.storage.elems)};
  plan_.nodes[at(which.node)].run->unpack(which.index, values, plain);
  return plain;
}

void stage_program::pack(const stored_parameter& which,
                         std::span<const float> values,
                         std::span<float> stored) const {
  plan_.nodes[at(which.node)].run->pack(which.index, values, stored);
}

std::vector<float> stage_program::read(const stored_parameter& which) {
  work_->synchronize();
  if (which.rule.is_trainable)
    return unpacked(which, weights_->newest().f32 + which.offset);
  const auto* from = weights_->statistics() + which.offset;
  if (which.rule.type == dtype::f32)
    return unpacked(which, reinterpret_cast<const float*>(from));
  std::int64_t counter = 0;
  std::memcpy(&counter, from, sizeof counter);
  return {static_cast<float>(counter)};
}

std::vector<float> stage_program::read_grad(const stored_parameter& which) {
  work_->synchronize();
  return unpacked(which, weights_->gradients() + which.offset);
}

void stage_program::write(const stored_parameter& which,
                          std::span<const float> values) {
  work_->synchronize();
  if (which.rule.type == dtype::i64) {
    const auto counter = static_cast<std::int64_t>(values[0]);
    std::memcpy(weights_->statistics() + which.offset, &counter,
                sizeof counter);
    return;
  }
  auto& newest = weights_->newest();
  auto* to =
    which.rule.is_trainable
      ? newest.f32 + which.offset
      : reinterpret_cast<float*>(weights_->statistics() + which.offset);
  const std::span stored{to, static_cast<std::size_t>(which.storage.elems)};
  pack(which, values, stored);
  if (which.rule.is_trainable && newest.bf16 != nullptr)
    std::ranges::transform(stored,
                           reinterpret_cast<bf16*>(newest.bf16) + which.offset,
                           [](float x) { return bf16{x}; });
}

} // namespace pd
