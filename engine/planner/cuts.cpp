#include "engine/planner/cuts.hpp"

#include "engine/planner/pipedream_profile.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace pd {

namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

/// The nodes that are left, and who takes from whom among them.
struct working_graph {
  std::vector<int> nodes;                       ///< ascending
  std::vector<std::vector<int>> inputs, takers; ///< by node of the profile
  std::vector<node_set> ancestors;              ///< without the node itself
};

/// Nodes of the core that stand between two that every way passes.
struct region {
  std::vector<int> nodes;
  std::size_t ways =
    1; ///< closed sets of them; not counted far beyond most_cuts
};

/// By node, those that it waits for.
using waiting = std::vector<std::vector<int>>;

using set_of_sets = std::unordered_set<node_set, node_set_hash>;

// -- the graph ----------------------------------------------------------------

std::vector<bool> find_left_out(const profile& of) {
  std::vector<bool> is_taken(of.nodes.size());
  for (const auto& each : of.nodes)
    for (const int input : each.inputs)
      is_taken[at(input)] = true;
  std::vector<bool> made;
  for (std::size_t i = 0; i < of.nodes.size(); ++i) {
    const auto& each = of.nodes[i];
    made.push_back(
      is_loader(each)
      || (!is_taken[i] && each.description.starts_with("__getitem__")));
  }
  return made;
}

working_graph make_graph(const profile& of) {
  const auto is_out = find_left_out(of);
  working_graph made;
  made.inputs.resize(of.nodes.size());
  made.takers.resize(of.nodes.size());
  made.ancestors.assign(of.nodes.size(), empty_set(of.nodes.size()));
  for (int i = 0; i < static_cast<int>(of.nodes.size()); ++i) {
    if (is_out[at(i)])
      continue;
    made.nodes.push_back(i);
    for (const int input : of.nodes[at(i)].inputs) {
      if (is_out[at(input)])
        continue;
      made.inputs[at(i)].push_back(input);
      made.takers[at(input)].push_back(i);
      insert(made.ancestors[at(i)], made.ancestors[at(input)]);
      insert(made.ancestors[at(i)], input);
    }
  }
  return made;
}

// -- closed sets --------------------------------------------------------------

/// By node, itself and all it waits for. inputs: who waits for whom.
std::vector<node_set> find_closures(const working_graph& of,
                                    const waiting& inputs) {
  std::vector<node_set> made(inputs.size(), empty_set(inputs.size()));
  for (const int node : of.nodes) {
    insert(made[at(node)], node);
    for (const int input : inputs[at(node)])
      insert(made[at(node)], made[at(input)]);
  }
  return made;
}

/// The nodes that are not in a set and take from it.
std::vector<int> takers_of(const node_set& set, const working_graph& of,
                           const waiting& inputs) {
  const auto is_in = [&set](int node) { return has(set, node); };
  std::vector<int> made;
  for (const int node : of.nodes)
    if (!is_in(node) && std::ranges::any_of(inputs[at(node)], is_in))
      made.push_back(node);
  return made;
}

/// All sets that grow from the first node by a node that takes from the set,
/// with all it waits for. None if they are more than most_cuts.
std::optional<std::vector<node_set>> grow(const working_graph& of,
                                          const waiting& inputs) {
  const auto closures = find_closures(of, inputs);
  std::vector<node_set> found{closures[at(of.nodes.front())]};
  set_of_sets seen{found.front()};
  for (std::size_t next = 0; next < found.size(); ++next)
    for (const int node : takers_of(found[next], of, inputs)) {
      auto more = found[next];
      insert(more, closures[at(node)]);
      if (seen.insert(more).second)
        found.push_back(std::move(more));
      if (found.size() > most_cuts)
        return std::nullopt;
    }
  return found;
}

// -- places with too many of them ---------------------------------------------

/// What comes of the first node: the rest joins its takers.
std::vector<int> find_core(const working_graph& of) {
  const int first = of.nodes.front();
  std::vector<int> made;
  for (const int node : of.nodes)
    if (node == first || has(of.ancestors[at(node)], first))
      made.push_back(node);
  return made;
}

/// By position in the core, whether each other node of it comes before or
/// after.
std::vector<bool> find_joints(const working_graph& of,
                              const std::vector<int>& core) {
  std::vector<std::size_t> related(of.inputs.size());
  for (const int node : core)
    for (const int other : core)
      if (has(of.ancestors[at(node)], other)) {
        ++related[at(node)];
        ++related[at(other)];
      }
  std::vector<bool> made;
  made.reserve(core.size());
  for (const int node : core)
    made.push_back(related[at(node)] + 1 == core.size());
  return made;
}

/// The closed sets of some nodes by themselves; stops beyond most_cuts.
std::size_t count_ways(const working_graph& of, const std::vector<int>& nodes) {
  auto inside = empty_set(of.inputs.size());
  for (const int node : nodes)
    insert(inside, node);
  std::vector<node_set> found{empty_set(of.inputs.size())};
  set_of_sets seen{found.front()};
  const auto try_next = [&](node_set set, int node) {
    const auto is_missing = [&](int input) {
      return has(inside, input) && !has(set, input);
    };
    if (std::ranges::any_of(of.inputs[at(node)], is_missing))
      return;
    insert(set, node);
    if (seen.insert(set).second)
      found.push_back(std::move(set));
  };
  for (std::size_t next = 0; next < found.size() && next < most_cuts; ++next)
    for (const int node : nodes)
      try_next(found[next], node);
  return found.size();
}

/// The regions of more than one node, the widest first.
std::vector<region> find_regions(const working_graph& of) {
  const auto core = find_core(of);
  const auto is_joint = find_joints(of, core);
  std::vector<region> made(1);
  for (std::size_t i = 0; i < core.size(); ++i)
    if (is_joint[i])
      made.emplace_back();
    else
      made.back().nodes.push_back(core[i]);
  std::erase_if(made, [](const region& each) { return each.nodes.size() < 2; });
  for (auto& each : made)
    each.ways = count_ways(of, each.nodes);
  std::ranges::stable_sort(made, std::ranges::greater{}, [](const region& x) {
    return std::pair{x.ways, x.nodes.size()};
  });
  return made;
}

std::string describe(const region& of, const profile& in) {
  return "between '" + in.nodes[at(of.nodes.front())].name + "' and '"
         + in.nodes[at(of.nodes.back())].name + "' ("
         + std::to_string(of.nodes.size()) + " nodes)";
}

error too_many(const profile& of, const std::vector<region>& regions) {
  auto what = of.network + ": more than " + std::to_string(most_cuts)
              + " places to cut it";
  if (!regions.empty())
    what += ", the widest " + describe(regions.front(), of);
  return {errc::not_supported, what};
}

/// Keeps region after region in order, the widest first, until the sets are
/// few enough.
result<std::vector<node_set>> grow_few(const profile& of,
                                       const working_graph& in,
                                       std::vector<std::string>& kept) {
  auto inputs = in.inputs;
  if (auto found = grow(in, inputs))
    return *std::move(found);
  const auto regions = find_regions(in);
  for (const auto& each : regions) {
    for (std::size_t i = 1; i < each.nodes.size(); ++i)
      inputs[at(each.nodes[i])].push_back(each.nodes[i - 1]);
    kept.push_back(describe(each, of));
    if (auto found = grow(in, inputs))
      return *std::move(found);
  }
  return too_many(of, regions);
}

result<std::vector<node_set>> find_prefixes(const profile& of,
                                            const working_graph& in) {
  if (in.nodes.size() > most_cuts)
    return too_many(of, {});
  std::vector<node_set> made;
  auto set = empty_set(of.nodes.size());
  for (const int node : in.nodes) {
    insert(set, node);
    made.push_back(set);
  }
  return made;
}

// -- what a cut costs ---------------------------------------------------------

/// The last nodes of a set: nobody in it takes of them.
std::vector<int> last_nodes(const working_graph& of, const node_set& set) {
  std::vector<int> made;
  for (const int node : of.nodes)
    if (has(set, node)
        && std::ranges::none_of(of.takers[at(node)],
                                [&](int taker) { return has(set, taker); }))
      made.push_back(node);
  return made;
}

bool leads_past(const working_graph& of, int node, int last) {
  const auto is_past = [&](int taker) {
    return taker != last && !has(of.ancestors[at(last)], taker);
  };
  return has(of.ancestors[at(last)], node)
         && std::ranges::any_of(of.takers[at(node)], is_past);
}

void add_crossings(const profile& of, const working_graph& in, cut_point& to) {
  const auto last = last_nodes(in, to.has);
  for (const int node : in.nodes) {
    if (!has(to.has, node))
      continue;
    const double bytes = output_bytes(of.nodes[at(node)]);
    const auto is_behind = [&](int taker) { return !has(to.has, taker); };
    if (std::ranges::any_of(in.takers[at(node)], is_behind))
      to.crossing_bytes += bytes;
    const auto is_passed = [&](int each) {
      return each == node || leads_past(in, node, each);
    };
    if (std::ranges::any_of(last, is_passed))
      to.antichain_bytes += bytes;
  }
}

cut_point measure(const profile& of, const working_graph& in, node_set set) {
  cut_point made;
  made.has = std::move(set);
  for (const int node : in.nodes) {
    if (!has(made.has, node))
      continue;
    const auto& each = of.nodes[at(node)];
    made.forward_us += each.forward.us;
    made.backward_us += backward_us(each);
    made.update_us += each.update.us;
    made.parameter_bytes += each.parameter_bytes;
    made.stash_bytes += each.stash_bytes;
  }
  add_crossings(of, in, made);
  return made;
}

/// Ascending; the whole is the last, also if the sets did not come to it.
void sort_sets(std::vector<node_set>& all, const working_graph& in) {
  auto whole = empty_set(in.inputs.size());
  for (const int node : in.nodes)
    insert(whole, node);
  if (std::ranges::find(all, whole) == all.end())
    all.push_back(whole);
  std::ranges::sort(all, std::ranges::less{}, [](const node_set& each) {
    return std::pair{count(each), each};
  });
}

void find_parts(cut_list& in) {
  in.parts.resize(in.cuts.size());
  for (int j = 0; j < in.size(); ++j)
    for (int k = 0; k < j; ++k)
      if (is_part(in.cuts[at(k)].has, in.cuts[at(j)].has))
        in.parts[at(j)].push_back(k);
}

} // namespace

result<cut_list> find_cuts(const profile& of, cut_rule rule) {
  const auto in = make_graph(of);
  if (in.nodes.empty())
    return error{errc::bad_value,
                 of.network + ": wanted nodes that compute, got none"};
  cut_list made;
  PD_TRY(auto sets, rule == cut_rule::prefixes
                      ? find_prefixes(of, in)
                      : grow_few(of, in, made.kept_in_order));
  sort_sets(sets, in);
  for (auto& each : sets)
    made.cuts.push_back(measure(of, in, std::move(each)));
  find_parts(made);
  return made;
}

std::vector<int> nodes_between(const cut_list& all, int from, int to) {
  const auto& later = all.cuts[at(to)].has;
  std::vector<int> made;
  for (int node = 0; node < static_cast<int>(later.size()) * 64; ++node)
    if (has(later, node) && (from < 0 || !has(all.cuts[at(from)].has, node)))
      made.push_back(node);
  return made;
}

} // namespace pd
