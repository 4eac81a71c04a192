#include "engine/onnx/onnx_builder.hpp"

#include "engine/base/assert.hpp"
#include "engine/graph/infer.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t most_extent = std::int64_t{1} << 24;
constexpr std::int64_t most_elems = std::int64_t{1} << 40;

/// Invariant (1).
result<void> check_size(const shape& made) {
  std::int64_t elems = 1;
  for (const auto each : made) {
    if (each > most_extent
        || elems > most_elems / std::max<std::int64_t>(each, 1))
      return error{errc::bad_shape,
                   "its output " + to_string(made) + " is too large"};
    elems *= each;
  }
  return {};
}

/// "layer1.0.conv1" of "layer1.0.conv1.weight"; empty if it is no such name.
/// An attention of PyTorch's calls its in_proj's "in_proj_weight".
std::string module_of_parameter(const std::string& name) {
  for (const std::string suffix : {".weight", ".bias", ".running_mean",
                                   ".running_var", "_weight", "_bias"})
    if (name.size() > suffix.size() && name.ends_with(suffix))
      return name.substr(0, name.size() - suffix.size());
  return "";
}

std::string module_of_parameters(const std::vector<onnx_constant>& all) {
  for (const auto& each : all)
    if (auto module = module_of_parameter(each.name); !module.empty())
      return module;
  return "";
}

/// How a linear's parameters are called after the node: "fc.weight", or
/// "in_proj_weight".
void set_separator(const std::vector<onnx_constant>& parameters,
                   attributes& of) {
  for (const auto& each : parameters)
    if (each.name.ends_with("_weight") || each.name.ends_with("_bias"))
      of["separator"] = std::string{"_"};
}

} // namespace

result<int> onnx_builder::add_input(const std::vector<std::int64_t>& extents) {
  const onnx_node outside{.name = "input",
                          .op = "input",
                          .domain = "",
                          .inputs = {},
                          .outputs = {},
                          .attributes = {}};
  return add(outside,
             {.op = "input", .settings = {{"extents", extents}}, .inputs = {}});
}

result<std::unique_ptr<op>> onnx_builder::make_rule(const request& what) const {
  auto made = ops_.make_op({what.op, what.op, what.settings, what.inputs});
  if (made)
    return made;
  // The node of the file, which the caller names, is the one that is wrong.
  auto why = made.failure();
  const auto label = "node '" + what.op + "': ";
  if (why.message.starts_with(label))
    why.message.erase(0, label.size());
  return why;
}

result<int> onnx_builder::add(const onnx_node& from, request what) {
  if (what.op == "linear")
    set_separator(what.parameters, what.settings);
  PD_TRY(const auto rule, make_rule(what));
  std::vector<shape> inputs;
  for (const int each : what.inputs)
    inputs.push_back(shape_of(each));
  PD_TRY(const auto made, rule->infer(inputs));
  PD_CHECK(check_size(made));
  PD_CHECK(check_parameters(*rule, what));
  PD_CHECK(take_names(what.parameters));
  sources_.push_back(
    {from.name, from.op,
     what.name.empty() ? module_of_parameters(what.parameters) : what.name});
  outputs_.push_back(from.outputs.empty() ? "" : from.outputs[0]);
  shapes_.push_back(made);
  parameters_.push_back(std::move(what.parameters));
  net_.nodes.push_back({from.name, std::move(what.op), std::move(what.settings),
                        std::move(what.inputs)});
  return static_cast<int>(net_.nodes.size()) - 1;
}

result<void> onnx_builder::check_parameters(const op& rule,
                                            const request& what) const {
  std::vector<shape> inputs;
  for (const int each : what.inputs)
    inputs.push_back(shape_of(each));
  const auto wanted = rule.parameters(inputs);
  PD_ASSERT(what.parameters.size() <= wanted.size());
  for (std::size_t i = 0; i < what.parameters.size(); ++i) {
    const auto& given = what.parameters[i];
    const auto dims = given.dims();
    if (!is_real(given.tensor->type))
      return error{errc::bad_value, "parameter " + shown(given.name)
                                      + ": wanted reals, got "
                                      + to_string(given.tensor->type)};
    if (const auto bad = first_not_finite(*given.tensor);
        bad < given.tensor->elems())
      return error{errc::bad_value, "parameter " + shown(given.name)
                                      + ": wanted finite numbers, got one that "
                                        "is not at index "
                                      + std::to_string(bad)};
    const auto& extents = wanted[i].extents;
    if (!std::ranges::equal(dims, extents))
      return error{errc::bad_shape, "parameter " + shown(given.name)
                                      + ": wanted shape " + to_string(extents)
                                      + ", got " + to_string(attribute{dims})};
  }
  return {};
}

result<void> onnx_builder::take_names(const std::vector<onnx_constant>& what) {
  for (const auto& each : what)
    if (!taken_.insert(each.name).second)
      return error{errc::not_supported,
                   "parameter " + shown(each.name)
                     + " is another node's too; weights that nodes share are "
                       "not supported"};
  return {};
}

result<void> onnx_builder::add_bias(int node, const onnx_constant& bias) {
  const auto i = static_cast<std::size_t>(node);
  auto changed = request{.op = net_.nodes[i].op,
                         .settings = net_.nodes[i].settings,
                         .inputs = net_.nodes[i].inputs,
                         .parameters = parameters_[i]};
  changed.settings["bias"] = true;
  changed.parameters.push_back(bias);
  set_separator(changed.parameters, changed.settings);
  PD_TRY(const auto rule, make_rule(changed));
  PD_CHECK(check_parameters(*rule, changed));
  PD_CHECK(take_names({bias}));
  net_.nodes[i].settings = changed.settings;
  parameters_[i] = changed.parameters;
  sources_[i].parameters = module_of_parameters(changed.parameters);
  return {};
}

void onnx_builder::rename() {
  const std::vector<onnx_name_source> sources{sources_.begin() + 1,
                                              sources_.end()};
  const auto names = name_nodes(sources);
  for (std::size_t i = 0; i < names.size(); ++i)
    net_.nodes[i + 1].name = names[i];
}

result<void> onnx_builder::check_consumers() const {
  const auto takers = net_.consumers();
  for (std::size_t i = 0; i + 1 < takers.size(); ++i)
    if (takers[i].empty())
      return error{errc::not_supported,
                   "node " + shown(net_.nodes[i].name)
                     + ": only its shape is taken, and not its output"};
  return {};
}

result<onnx_network> onnx_builder::finish(const std::string& name, int logits) {
  rename();
  net_.name = name;
  const int labels = static_cast<int>(net_.nodes.size());
  net_.nodes.push_back({"labels", "labels", {}, {}});
  net_.nodes.push_back({"loss", "softmax_loss", {}, {logits, labels}});
  PD_CHECK(check_consumers());
  PD_TRY(const auto typed, infer(net_, ops_, 1));
  onnx_network made;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto all = typed.parameters(static_cast<int>(i));
    for (std::size_t k = 0; k < parameters_[i].size(); ++k)
      made.parameters.emplace(all[k].suffix, parameters_[i][k]);
  }
  made.net = std::move(net_);
  return made;
}

} // namespace pd
