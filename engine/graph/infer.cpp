#include "engine/graph/infer.hpp"

#include <map>

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
    each.suffix = each.name_at(net.nodes[i].name);
  return found;
}

namespace {

/// The one node whose shape holds the batch: what comes from outside.
shape with_batch(const shape& made, std::int64_t samples) {
  shape batched = made;
  batched[0] = samples;
  return batched;
}

/// Two nodes may have unlike names and parameters of one, where a suffix is
/// empty or not set off by a dot.
result<void> check_names(const typed_graph& of) {
  std::map<std::string, std::string> node_of;
  for (std::size_t i = 0; i < of.net.nodes.size(); ++i)
    for (const auto& each : of.parameters(static_cast<int>(i))) {
      const auto& own = of.net.nodes[i].name;
      const auto [found, is_new] = node_of.emplace(each.suffix, own);
      if (!is_new)
        return error{errc::bad_value, "node '" + own + "': its parameter '"
                                        + each.suffix + "' is one of node '"
                                        + found->second + "' too"};
    }
  return {};
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
  PD_CHECK(check_names(typed));
  return typed;
}

} // namespace pd
