#include "engine/program/stage_plan.hpp"

#include "engine/base/text.hpp"
#include "engine/program/backward_plan.hpp"

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

/// The steps of a plan's time (stage_plan.hpp's drawing).
struct timeline {
  int nodes = 0;
  bool is_split = false;

  [[nodiscard]] int forward(int node) const { return node; }
  [[nodiscard]] int backward(int node) const { return 2 * nodes - 1 - node; }
  [[nodiscard]] int weight(int node) const {
    return is_split ? 3 * nodes - 1 - node : backward(node);
  }
  [[nodiscard]] int end() const { return 3 * nodes; }
};

class planner {
public:
  planner(const typed_graph& net, const registry& ops, device& on,
          const plan_options& options, const std::set<int>& outputs)
    : net_{net},
      ops_{ops},
      on_{on},
      carries_{carries_gradient(net)},
      time_{static_cast<int>(net.net.nodes.size()), options.splits_backward} {
    plan_.options = options;
    for (int i = 0; i < time_.nodes; ++i)
      if (outputs.contains(i) || is_loss(i))
        plan_.outputs.push_back(i);
  }

  result<stage_plan> make() {
    for (int i = 0; i < time_.nodes; ++i)
      PD_CHECK(add_node(i));
    if (plan_.options.is_training)
      PD_CHECK(plan_backward(plan_, net_, {ops_, on_}));
    place();
    return std::move(plan_);
  }

private:
  [[nodiscard]] bool is_loss(int i) const {
    return net_.net.nodes[at(i)].op == "softmax_loss";
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
    plan_.values.push_back({value_type(i), is_source, is_handed_on, 0});
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

  /// The last step at which the value of node i is read.
  [[nodiscard]] int last_read(int i) const {
    int last = time_.forward(i);
    if (std::ranges::find(plan_.outputs, i) != plan_.outputs.end())
      last = time_.end();
    const auto& own = plan_.nodes[at(i)];
    if (own.has_backward && own.needs.stashes_output)
      last = std::max(last, time_.weight(i));
    for (int taker = i + 1; taker < time_.nodes; ++taker)
      if (takes(taker, i))
        last = std::max(last, last_read_by(taker));
    return last;
  }

  [[nodiscard]] bool takes(int taker, int i) const {
    const auto& inputs = plan_.nodes[at(taker)].inputs;
    return std::ranges::find(inputs, i) != inputs.end();
  }

  [[nodiscard]] int last_read_by(int taker) const {
    const auto& node = plan_.nodes[at(taker)];
    return node.has_backward && node.needs.stashes_input ? time_.weight(taker)
                                                         : taker;
  }

  /// Room that shares bytes: an in-place output and its input are one.
  struct room {
    lifetime span;
    std::vector<std::int64_t*> offsets;
  };

  void place() {
    place_values();
    place_gradients();
    place_workspaces();
    std::vector<lifetime> wanted;
    for (const auto& each : rooms_)
      wanted.push_back(each.span);
    const auto arena = plan_arena(wanted);
    for (std::size_t i = 0; i < rooms_.size(); ++i)
      for (auto* offset : rooms_[i].offsets)
        *offset = arena.offsets[i];
    plan_.arena_bytes = arena.bytes;
  }

  void place_values() {
    std::vector<int> room_of(plan_.values.size(), -1);
    for (int i = 0; i < time_.nodes; ++i) {
      auto& value = plan_.values[at(i)];
      if (value.is_external || value.is_handed_on)
        continue;
      const int shared = room_to_overwrite(i, room_of);
      room_of[at(i)] =
        shared >= 0 ? shared : add_room(value.type.bytes(), i, last_read(i));
      auto& own = rooms_[at(room_of[at(i)])];
      own.span.last = std::max(own.span.last, last_read(i));
      own.offsets.push_back(&value.offset);
    }
  }

  /// The room of input 0 if node i may write its output there; else -1.
  [[nodiscard]] int room_to_overwrite(int i,
                                      const std::vector<int>& room_of) const {
    const auto& own = plan_.nodes[at(i)];
    if (!own.needs.forward_in_place)
      return -1;
    const int input = own.inputs[0];
    const auto& from = plan_.values[at(input)];
    const bool is_free =
      !from.is_external && !from.is_handed_on && last_read(input) == i
      && from.type.bytes() == plan_.values[at(i)].type.bytes();
    return is_free ? room_of[at(input)] : -1;
  }

  int add_room(std::int64_t bytes, int first, int last) {
    rooms_.push_back({{bytes, first, last}, {}});
    return static_cast<int>(rooms_.size()) - 1;
  }

  void place_gradients() {
    for (const auto& each : plan_.nodes)
      if (each.run == nullptr && each.output_grad >= 0)
        plan_.gradients[at(each.output_grad)].is_handed_on = true;
    const auto spans = gradient_spans();
    std::vector<int> room_of(plan_.gradients.size(), -1);
    for (std::size_t g = 0; g < plan_.gradients.size(); ++g) {
      if (plan_.gradients[g].is_external || plan_.gradients[g].is_handed_on)
        continue;
      room_of[g] = add_room(plan_.gradients[g].type.bytes(), spans[g].first,
                            spans[g].last);
      rooms_.back().offsets.push_back(&plan_.gradients[g].offset);
    }
    for (int i = time_.nodes - 1; i >= 0; --i)
      merge_in_place(i, room_of);
  }

  /// Lets an input gradient take the room of the output gradient.
  void merge_in_place(int i, std::vector<int>& room_of) {
    const auto& own = plan_.nodes[at(i)];
    const int input = own.needs.backward_in_place;
    const bool outlives = time_.is_split && !own.parameters.empty();
    if (!own.has_backward || input < 0 || outlives || own.output_grad < 0)
      return;
    const int made = own.input_grads[at(input)];
    const int from = own.output_grad;
    if (made < 0 || room_of[at(from)] < 0 || room_of[at(made)] < 0)
      return;
    auto& kept = rooms_[at(room_of[at(from)])];
    auto& merged = rooms_[at(room_of[at(made)])];
    if (kept.span.bytes != merged.span.bytes)
      return;
    kept.span.first = std::min(kept.span.first, merged.span.first);
    kept.span.last = std::max(kept.span.last, merged.span.last);
    kept.offsets.insert(kept.offsets.end(), merged.offsets.begin(),
                        merged.offsets.end());
    merged.span.bytes = 0;
    merged.offsets.clear();
    std::ranges::replace(room_of, room_of[at(made)], room_of[at(from)]);
  }

  /// From the backward that writes a gradient to the last that reads it.
  [[nodiscard]] std::vector<lifetime> gradient_spans() const {
    std::vector<lifetime> spans(plan_.gradients.size());
    for (int i = 0; i < time_.nodes; ++i) {
      const auto& own = plan_.nodes[at(i)];
      for (const int g : own.input_grads)
        if (g >= 0)
          spans[at(g)].first = spans[at(g)].last = time_.backward(i);
    }
    for (int i = 0; i < time_.nodes; ++i) {
      const auto& own = plan_.nodes[at(i)];
      const int last = own.run == nullptr ? time_.end() : time_.weight(i);
      for (const int g : {own.output_grad, own.other_output_grad})
        if (g >= 0)
          spans[at(g)].last = last;
    }
    return spans;
  }

  void place_workspaces() {
    for (int i = 0; i < time_.nodes; ++i) {
      auto& own = plan_.nodes[at(i)];
      if (own.needs.workspace_bytes == 0)
        continue;
      const int last = own.has_backward ? time_.weight(i) : time_.forward(i);
      add_room(own.needs.workspace_bytes, time_.forward(i), last);
      rooms_.back().offsets.push_back(&own.workspace_offset);
    }
  }

  const typed_graph& net_;
  const registry& ops_;
  device& on_;
  std::vector<bool> carries_;
  timeline time_;
  stage_plan plan_;
  std::vector<room> rooms_;
};

std::string times(std::int64_t count, const std::string& what,
                  std::int64_t bytes) {
  return std::to_string(count) + " " + what + " of " + format_bytes(bytes);
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
  items.push_back({"activations", arena_bytes * options.in_flight,
                   times(options.in_flight, "in flight", arena_bytes)});
  items.push_back({"scratch", scratch_bytes, "shared by all kernels"});
  if (const auto bytes = handed_on_bytes(); bytes > 0)
    items.push_back({"handoffs", bytes * options.handoff_buffers,
                     times(options.handoff_buffers, "to other stages", bytes)});
  return items;
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
