#include "engine/graph/infer.hpp"

namespace pd {

std::vector<shape> typed_graph::input_shapes(int index) const {
  std::vector<shape> found;
  for (const int input : net.nodes[static_cast<std::size_t>(index)].inputs)
    found.push_back(shapes[static_cast<std::size_t>(input)]);
  return found;
}

std::vector<parameter> typed_graph::parameters(int index) const {
  const auto i = static_cast<std::size_t>(index);
  auto found = ops[i]->parameters(input_shapes(index));
  for (auto& each : found)
    each.suffix = net.nodes[i].name + "." + each.suffix;
  return found;
}

namespace {

/// The one node whose shape holds the batch: what comes from outside.
shape with_batch(const shape& made, std::int64_t samples) {
  shape batched = made;
  batched[0] = samples;
  return batched;
}

} // namespace

result<typed_graph> infer(graph net, const registry& ops,
                          std::int64_t samples) {
  PD_CHECK(net.validate());
  typed_graph typed{std::move(net), {}, {}};
  for (std::size_t i = 0; i < typed.net.nodes.size(); ++i) {
    const auto& at = typed.net.nodes[i];
    PD_TRY(auto rule, ops.make_op(at));
    const auto inputs = typed.input_shapes(static_cast<int>(i));
    auto made = rule->infer(inputs);
    if (!made)
      return made.failure().within("node '" + at.name + "'");
    typed.shapes.push_back(rule->is_source() ? with_batch(*made, samples)
                                             : *made);
    typed.ops.push_back(std::move(rule));
  }
  return typed;
}

} // namespace pd
