#include "engine/graph/graph.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <set>

namespace pd {

bool is_loss(const node& of) {
  return of.op == "softmax_loss";
}

bool is_auxiliary_loss(const node& of) {
  const auto found = of.settings.find("auxiliary");
  return is_loss(of) && found != of.settings.end()
         && found->second == attribute{true};
}

result<int> graph::find(const std::string& node_name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].name == node_name)
      return static_cast<int>(i);
    names.push_back(nodes[i].name);
  }
  return error{errc::unknown_name, name + ": no node '" + node_name + "'"
                                     + did_you_mean(node_name, names)};
}

std::vector<std::vector<int>> graph::consumers() const {
  std::vector<std::vector<int>> takers(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const int input : nodes[i].inputs)
      takers[static_cast<std::size_t>(input)].push_back(static_cast<int>(i));
  return takers;
}

result<int> graph::last_of_block(const std::string& block) const {
  std::vector<std::string> names;
  int last = -1;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& each = nodes[i].name;
    names.push_back(each);
    for (auto dot = each.find('.'); dot != std::string::npos;
         dot = each.find('.', dot + 1))
      names.push_back(each.substr(0, dot));
    if (each == block || each.starts_with(block + "."))
      last = static_cast<int>(i);
  }
  if (last >= 0)
    return last;
  return error{errc::unknown_name, name + ": no node or block '" + block + "'"
                                     + did_you_mean(block, names)};
}

result<void> graph::validate() const {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& each = nodes[i];
    if (each.name.empty())
      return error{errc::bad_value,
                   name + ": node " + std::to_string(i) + " has no name"};
    if (!seen.insert(each.name).second)
      return error{errc::bad_value,
                   name + ": two nodes have the name '" + each.name + "'"};
    const auto is_later = [i](int input) {
      return input < 0 || input >= static_cast<int>(i);
    };
    if (std::ranges::any_of(each.inputs, is_later))
      return error{errc::bad_value, name + ": node '" + each.name
                                      + "' takes an output that is not made "
                                        "before it"};
  }
  return {};
}

} // namespace pd
