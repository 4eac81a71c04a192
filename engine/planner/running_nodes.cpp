#include "engine/planner/running_nodes.hpp"

#include "engine/graph/fuse.hpp"

#include <algorithm>

namespace pd {

namespace {

/// The last of the parts that stand together at the place of a running node:
/// what is fused away stands before it, what is idle (identity) behind it.
std::string until_of(const graph& whole, const std::vector<int>& index_of,
                     int running) {
  auto part = std::ranges::find(index_of, running);
  if (part == index_of.end())
    return "";
  while (std::next(part) != index_of.end() && *std::next(part) == running)
    ++part;
  const auto place = static_cast<std::size_t>(part - index_of.begin());
  return whole.nodes[place].name;
}

} // namespace

std::vector<running_node> running_nodes(const graph& whole) {
  const auto runs = fuse(place_inputs(whole));
  std::vector<running_node> made;
  for (const auto& each : runs.net.nodes)
    made.push_back(
      {each.name, each.op,
       until_of(whole, runs.index_of, static_cast<int>(std::ssize(made))),
       each.inputs, each.op == "input" || each.op == "labels"});
  return made;
}

} // namespace pd
