#include "engine/program/gradient_buckets.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>

namespace pd {

namespace {

/// The last node that a backward comes to and that writes the parameter's
/// gradient. One that no node writes is whole from the start.
int last_writer(const stage_plan& plan, int parameter) {
  const auto writes = [&](const planned_node& each) {
    return each.has_backward
           && std::ranges::find(each.parameters, parameter)
                != each.parameters.end();
  };
  const auto found = std::ranges::find_if(plan.nodes, writes);
  return static_cast<int>(found == plan.nodes.end()
                            ? std::ssize(plan.nodes) - 1
                            : std::distance(plan.nodes.begin(), found));
}

/// Where a parameter begins, and the node after which all from there on are
/// whole.
struct whole_from {
  std::int64_t first = 0;
  int node = 0;
};

/// From the array's end: parameters lie in the order of their nodes, and a
/// backward comes to the last node first.
std::vector<whole_from> whole_parts(const stage_plan& plan) {
  std::vector<whole_from> made;
  auto first = plan.trainable_elems;
  int node = static_cast<int>(std::ssize(plan.nodes)) - 1;
  for (int p = static_cast<int>(std::ssize(plan.parameters)) - 1; p >= 0; --p) {
    const auto& each = plan.parameters[static_cast<std::size_t>(p)];
    if (!each.rule.is_trainable)
      continue;
    PD_ASSERT(each.offset < first);
    first = each.offset;
    node = std::min(node, last_writer(plan, p));
    made.push_back({first, node});
  }
  PD_ASSERT_EQ(first, 0);
  return made;
}

std::int64_t bytes_of(const gradient_bucket& all) {
  return (all.end - all.first) * static_cast<std::int64_t>(sizeof(float));
}

} // namespace

std::vector<gradient_bucket> plan_buckets(const stage_plan& plan,
                                          std::int64_t bucket_bytes) {
  PD_ASSERT(bucket_bytes > 0);
  std::vector<gradient_bucket> made;
  const auto end = plan.trainable_elems;
  gradient_bucket open{end, end, 0};
  for (const auto& each : whole_parts(plan)) {
    if (each.node < open.node && bytes_of(open) >= bucket_bytes) {
      made.push_back(open);
      open.end = open.first;
    }
    open.first = each.first;
    open.node = each.node;
  }
  if (open.end > 0)
    made.push_back(open);
  return made;
}

} // namespace pd
