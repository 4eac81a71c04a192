#include "engine/program/stage_plan.hpp"

#include "engine/base/text.hpp"
#include "engine/program/backward_plan.hpp"
#include "engine/program/stage_memory.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t parameter_alignment = 16; // elements: a cache line

template <class T>
T round_up(T value, T unit) {
  return (value + unit - 1) / unit * unit;
}

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

class planner {
public:
  planner(const typed_graph& net, const registry& ops, device& on,
          const plan_options& options, const std::set<int>& outputs)
    : net_{net},
      ops_{ops},
      on_{on},
      carries_{carries_gradient(net)},
      nodes_{static_cast<int>(net.net.nodes.size())} {
    plan_.options = options;
    for (int i = 0; i < nodes_; ++i)
      if (outputs.contains(i) || is_loss(i))
        plan_.outputs.push_back(i);
  }

  result<stage_plan> make() {
    for (int i = 0; i < nodes_; ++i)
      PD_CHECK(add_node(i));
    mark_heads();
    if (plan_.options.is_training)
      PD_CHECK(plan_backward(plan_, net_, {ops_, on_}));
    hand_on_gradients();
    place_stage(plan_, choose_segments(plan_));
    return std::move(plan_);
  }

private:
  [[nodiscard]] bool is_loss(int i) const {
    return pd::is_loss(net_.net.nodes[at(i)]);
  }

  /// What only auxiliary losses need.
  void mark_heads() {
    for (int i = nodes_ - 1; i >= 0; --i) {
      auto& own = plan_.nodes[at(i)];
      const bool is_output =
        std::ranges::find(plan_.outputs, i) != plan_.outputs.end();
      own.is_of_auxiliary_head = is_auxiliary_loss(net_.net.nodes[at(i)])
                                 || (!is_output && all_takers_are_of_heads(i));
    }
  }

  [[nodiscard]] bool all_takers_are_of_heads(int i) const {
    bool is_taken = false;
    for (int taker = i + 1; taker < nodes_; ++taker) {
      const auto& own = plan_.nodes[at(taker)];
      if (std::ranges::find(own.inputs, i) == own.inputs.end())
        continue;
      is_taken = true;
      if (!own.is_of_auxiliary_head)
        return false;
    }
    return is_taken;
  }

  [[nodiscard]] tensor_type value_type(int i) const {
    const auto& rule = *net_.ops[at(i)];
    const auto& extents = net_.shapes[at(i)];
    const bool is_plain =
      is_from_loader(net_.net.nodes[at(i)]) || extents.rank() != 4;
    return {extents, rule.output_type(plan_.options.precision),
            is_plain ? layout::plain
                     : on_.activation_layout(plan_.options.precision)};
  }

  result<void> add_node(int i) {
    const auto& source = net_.net.nodes[at(i)];
    const bool is_source = net_.ops[at(i)]->is_source();
    const bool is_handed_on =
      !is_loss(i) && std::ranges::find(plan_.outputs, i) != plan_.outputs.end();
    plan_.values.push_back({value_type(i), is_source, is_handed_on});
    planned_node made;
    made.name = source.name;
    made.inputs = source.inputs;
    if (!is_source)
      PD_CHECK(add_kernel(i, made));
    plan_.nodes.push_back(std::move(made));
    return {};
  }

  result<void> add_kernel(int i, planned_node& made) {
    const auto& source = net_.net.nodes[at(i)];
    std::vector<tensor_type> inputs;
    for (const int input : source.inputs)
      inputs.push_back(plan_.values[at(input)].type);
    const kernel_context context{source,
                                 *net_.ops[at(i)],
                                 inputs,
                                 plan_.values[at(i)].type,
                                 on_,
                                 plan_.options.seed,
                                 wants_input_grad(source)};
    PD_TRY(made.run, ops_.make_kernel(context));
    made.needs = made.run->needs();
    plan_.scratch_bytes =
      std::max(plan_.scratch_bytes, made.needs.scratch_bytes);
    add_parameters(i, made);
    return {};
  }

  [[nodiscard]] bool wants_input_grad(const node& source) const {
    return plan_.options.is_training
           && std::ranges::any_of(source.inputs,
                                  [&](int j) { return carries_[at(j)]; });
  }

  void add_parameters(int i, planned_node& made) {
    int index = 0;
    for (auto& rule : net_.parameters(i)) {
      stored_parameter each;
      each.name = rule.suffix;
      each.node = i;
      each.index = index;
      each.storage = made.run->storage(index++, rule);
      each.rule = std::move(rule);
      each.offset = each.rule.is_trainable ? add_trainable(each.storage)
                                           : add_statistic(each);
      made.parameters.push_back(static_cast<int>(plan_.parameters.size()));
      plan_.parameters.push_back(std::move(each));
    }
  }

  std::int64_t add_trainable(const parameter_storage& storage) {
    plan_.has_bf16_weights |= storage.type == dtype::bf16;
    const auto offset = plan_.trainable_elems;
    plan_.trainable_elems += round_up(storage.elems, parameter_alignment);
    return offset;
  }

  std::int64_t add_statistic(const stored_parameter& each) {
    const auto offset = plan_.statistics_bytes;
    const auto bytes = each.storage.elems
                       * static_cast<std::int64_t>(size_bytes(each.rule.type));
    plan_.statistics_bytes += round_up(bytes, std::int64_t{64});
    return offset;
  }

  /// Those by what comes from other stages.
  void hand_on_gradients() {
    for (const auto& each : plan_.nodes)
      if (each.run == nullptr && each.output_grad >= 0)
        plan_.gradients[at(each.output_grad)].is_handed_on = true;
  }

  const typed_graph& net_;
  const registry& ops_;
  device& on_;
  std::vector<bool> carries_;
  int nodes_;
  stage_plan plan_;
};

std::string times(std::int64_t count, const std::string& what,
                  std::int64_t bytes) {
  return std::to_string(count) + " " + what + " of " + format_bytes(bytes);
}

void add_arenas(std::vector<memory_item>& to, const stage_plan& plan) {
  const auto [own, shared, half] = plan.arena_bytes;
  const int in_flight = plan.arenas(arena_kind::microbatch);
  to.push_back(
    {"activations", own * in_flight, times(in_flight, "in flight", own)});
  if (shared == 0)
    return;
  const int halves = plan.arenas(arena_kind::halves);
  to.push_back(
    {"recomputation", shared + half * halves,
     format_bytes(shared) + " for the microbatch that runs"
       + (half == 0 ? "" : ", " + times(halves, "half done", half))});
}

} // namespace

std::vector<memory_item> stage_plan::memory(int versions, int moments) const {
  const auto f32_bytes = trainable_elems * 4;
  const auto version_bytes = f32_bytes + (has_bf16_weights ? f32_bytes / 2 : 0);
  std::vector<memory_item> items{
    {"weights", version_bytes * versions,
     times(versions, versions == 1 ? "version" : "versions", version_bytes)},
    {"statistics", statistics_bytes, "of batch normalization"}};
  if (options.is_training) {
    items.push_back({"gradients", f32_bytes, "of the weights"});
    items.push_back(
      {"optimizer", f32_bytes * moments,
       times(moments, moments == 1 ? "moment" : "moments", f32_bytes)});
  }
  add_arenas(items, *this);
  items.push_back({"scratch", scratch_bytes, "shared by all kernels"});
  if (const auto bytes = handed_on_bytes(); bytes > 0)
    items.push_back({"handoffs", bytes * options.handoff_buffers,
                     times(options.handoff_buffers, "to other stages", bytes)});
  return items;
}

int stage_plan::arenas(arena_kind which) const {
  switch (which) {
  case arena_kind::microbatch:
    return options.in_flight;
  case arena_kind::shared:
    return 1;
  case arena_kind::halves:
    return options.splits_backward ? options.half_done : 0;
  }
  return 0;
}

std::int64_t stage_plan::handed_on_bytes() const {
  std::int64_t bytes = 0;
  for (const auto* part : {&values, &gradients})
    for (const auto& each : *part)
      bytes += each.is_handed_on ? each.type.bytes() : 0;
  return bytes;
}

result<stage_plan> plan_stage(const typed_graph& net, const registry& ops,
                              device& on, const plan_options& options,
                              const std::set<int>& outputs) {
  return planner{net, ops, on, options, outputs}.make();
}

} // namespace pd
