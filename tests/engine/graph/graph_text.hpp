/// A graph as text, so that tests compare and print it.

#pragma once

#include "engine/base/text.hpp"
#include "engine/graph/graph.hpp"

#include <string>
#include <vector>

namespace pd {

/// "bn1 = batch_norm(conv1, x) relu=true"
inline std::string to_text(const graph& of, const node& each) {
  std::vector<std::string> inputs;
  for (const int input : each.inputs)
    inputs.push_back(of.nodes[static_cast<std::size_t>(input)].name);
  auto text = each.name + " = " + each.op + "(" + join(inputs) + ")";
  for (const auto& [name, value] : each.settings)
    text += " " + name + "=" + to_string(value);
  return text;
}

/// One line a node.
inline std::vector<std::string> to_lines(const graph& of) {
  std::vector<std::string> lines;
  for (const auto& each : of.nodes)
    lines.push_back(to_text(of, each));
  return lines;
}

} // namespace pd
