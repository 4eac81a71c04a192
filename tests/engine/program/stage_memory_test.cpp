#include "engine/program/stage_memory.hpp"

#include "engine/base/random.hpp"
#include "engine/device/cpu_device.hpp"
#include "engine/models/models.hpp"
#include "engine/program/pipeline.hpp"
#include "engine/program/stage_program.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace pd;

namespace {

constexpr int microbatches = 4;

template <class T>
T value_of(result<T> from) {
  if (!from)
    FAIL(from.failure().message);
  return std::move(*from);
}

/// The small network as the first, a middle and the last stage of a pipeline.
const std::vector<pipeline_stage>& three_stages() {
  static const auto made = [] {
    const auto net = small_network();
    return value_of(
      cut_pipeline(net, all_ops(), small_samples,
                   value_of(stage_ends(net, {"pool1", "relu3", ""}))));
  }();
  return made;
}

stage_plan plan_of(const pipeline_stage& stage, device& on,
                   const plan_options& options) {
  std::set<int> outputs;
  for (const auto& each : stage.departures)
    outputs.insert(each.node);
  return value_of(plan_stage(stage.net, all_ops(), on, options, outputs));
}

/// Random numbers, or labels, of a type.
tensor filled(device& on, const tensor_type& type, std::uint64_t seed) {
  tensor made{value_of(on.memory().allocate(type.bytes())), 0, type, {}};
  const auto key = make_random_key(seed, "filled");
  for (std::int64_t i = 0; i < type.elems(); ++i)
    if (type.type == dtype::i32)
      made.data<std::int32_t>()[i] = static_cast<std::int32_t>(i % 10);
    else if (type.type == dtype::bf16)
      made.data<bf16>()[i] = bf16{normal(key, static_cast<std::uint64_t>(i))};
    else
      made.data<float>()[i] = normal(key, static_cast<std::uint64_t>(i));
  return made;
}

/// From outside, in the order of the plan.
std::vector<tensor> filled(device& on, const std::vector<placed_tensor>& all,
                           std::uint64_t seed) {
  std::vector<tensor> made;
  for (const auto& each : all)
    if (each.is_external)
      made.push_back(filled(on, each.type, seed + made.size() * 1000));
  return made;
}

/// Everything that a stage gives: its gradients, what it hands back, its
/// statistics.
struct given {
  std::vector<std::vector<float>> grads, statistics;
  std::vector<std::vector<std::byte>> handed_back;
  bool operator==(const given&) const = default;
};

void hand_back(stage_program& program, given& to) {
  for (std::size_t i = 0; i < program.plan().nodes.size(); ++i) {
    const auto& node = program.plan().nodes[i];
    if (node.run != nullptr || node.output_grad < 0)
      continue;
    const auto grad = program.take_input_grad(static_cast<int>(i));
    grad.ready.block();
    to.handed_back.emplace_back(grad.bytes(), grad.bytes() + grad.type.bytes());
  }
}

/// Some microbatches, as many at once as the plan lets be in flight. In halves:
/// all first halves before the second ones.
given run(stage_plan plan, device& on) {
  const int at_once = plan.options.in_flight;
  const bool is_split = plan.options.splits_backward;
  const auto program = value_of(stage_program::make(std::move(plan), on));
  const auto& planned = program->plan();
  given made;
  for (int first = 0; first < microbatches; first += at_once) {
    for (int k = first; k < first + at_once; ++k)
      program->forward(k, filled(on, planned.values, 10 + k),
                       run_mode::training);
    for (int k = first; k < first + at_once; ++k) {
      const auto grads = filled(on, planned.gradients, 50 + k);
      if (is_split)
        program->backward_input(k, grads);
      else
        program->backward(k, k > 0, grads);
      hand_back(*program, made);
    }
    for (int k = first; is_split && k < first + at_once; ++k)
      program->backward_weight(k, k > 0);
  }
  for (const auto& each : planned.parameters)
    if (each.rule.is_trainable)
      made.grads.push_back(program->read_grad(each));
    else
      made.statistics.push_back(program->read(each));
  return made;
}

/// Segments that begin with the nodes whose bits are set.
std::vector<int> segments_of(std::uint64_t bits, std::size_t nodes) {
  std::vector<int> made{0};
  for (std::size_t i = 1; i < nodes; ++i)
    if ((bits >> i & 1) != 0)
      made.push_back(static_cast<int>(i));
  return made;
}

/// No border, one at each place, all, and some at random.
std::vector<std::vector<int>> many_segments(std::size_t nodes) {
  std::vector<std::vector<int>> made{{0},
                                     segments_of(~std::uint64_t{0}, nodes)};
  for (std::size_t i = 1; i < nodes; ++i)
    made.push_back({0, static_cast<int>(i)});
  const auto key = make_random_key(3, "segments");
  for (std::uint64_t i = 0; i < 6; ++i) {
    const auto words = philox(key, i);
    made.push_back(segments_of(words[0] & words[1], nodes));
  }
  return made;
}

void check_all_segments(const pipeline_stage& stage, plan_options options) {
  cpu_device on{{.threads = 1}};
  const auto wanted = run(plan_of(stage, on, options), on);
  options.recomputes = true;
  int runs_again = 0;
  for (const auto& segments : many_segments(stage.net.net.nodes.size())) {
    INFO(segments.size() << " segments, the last from node "
                         << segments.back());
    auto plan = plan_of(stage, on, options);
    place_stage(plan, segments);
    runs_again += static_cast<int>(
      std::ranges::count(plan.nodes, true, &planned_node::is_repeated));
    CHECK(run(std::move(plan), on) == wanted);
  }
  CHECK(runs_again > 0);
}

std::int64_t stash_of(const stage_plan& plan) {
  std::int64_t bytes = 0;
  for (const auto& each : plan.memory(1, 0))
    if (each.name == "activations" || each.name == "recomputation")
      bytes += each.bytes;
  return bytes;
}

} // namespace

TEST_CASE("a stage that recomputes gives the bits of one that keeps all, "
          "wherever its segments begin",
          "[program][stage_memory][recompute]") {
  for (const auto& stage : three_stages())
    for (const int in_flight : {1, 2})
      for (const bool is_split : {false, true})
        for (const auto precision : {dtype::f32, dtype::bf16}) {
          INFO(stage.net.net.nodes.back().name
               << ", " << in_flight << " in flight"
               << (is_split ? ", halves " : " ") << to_string(precision));
          check_all_segments(stage, {.precision = precision,
                                     .in_flight = in_flight,
                                     .splits_backward = is_split,
                                     .half_done = in_flight,
                                     .seed = small_seed});
        }
}

TEST_CASE("the segments that are chosen take no more than others, and the "
          "plan no less than their least",
          "[program][stage_memory][recompute]") {
  cpu_device on{{.threads = 1}};
  for (const auto& stage : three_stages())
    for (const int in_flight : {1, 2, 4}) {
      const auto plan =
        plan_of(stage, on, {.in_flight = in_flight, .recomputes = true});
      const auto chosen = least_stash_bytes(plan, plan.segments);
      CHECK(stash_of(plan) >= chosen);
      for (std::size_t i = 1; i < plan.nodes.size(); ++i)
        CHECK(chosen <= least_stash_bytes(plan, {0, static_cast<int>(i)}));
    }
}

TEST_CASE("recomputation lowers the stash of ResNet-50 in two stages by 60 %",
          "[program][stage_memory][recompute]") {
  cpu_device on{{.threads = 1}};
  const auto net = value_of(build_model(
    "resnet50", {.classes = 10, .height = 64, .width = 64, .channels = 3}));
  const auto stages = value_of(cut_pipeline(
    net, all_ops(), 4, value_of(stage_ends(net, {"layer3.0", ""}))));
  std::int64_t kept = 0;
  std::int64_t again = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    plan_options options{.in_flight = s == 0 ? 2 : 1};
    kept += stash_of(plan_of(stages[s], on, options));
    options.recomputes = true;
    again += stash_of(plan_of(stages[s], on, options));
  }
  CHECK(again * 10 <= kept * 4);
}
