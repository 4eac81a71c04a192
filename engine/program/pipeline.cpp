#include "engine/program/pipeline.hpp"

#include "engine/base/text.hpp"
#include "engine/graph/fuse.hpp"
#include "engine/program/backward_plan.hpp"

#include <algorithm>
#include <map>

namespace pd {

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

int stage_of(const std::vector<int>& ends, int node) {
  return static_cast<int>(std::ranges::upper_bound(ends, node) - ends.begin());
}

/// For each value that crosses a cut: the stages that take it, ascending.
std::map<int, std::set<int>> takers_of(const graph& whole,
                                       const std::vector<int>& ends) {
  std::map<int, std::set<int>> takers;
  for (int i = 0; i < static_cast<int>(whole.nodes.size()); ++i)
    for (const int input : whole.nodes[at(i)].inputs)
      if (stage_of(ends, input) < stage_of(ends, i)
          && !is_from_loader(whole.nodes[at(input)]))
        takers[input].insert(stage_of(ends, i));
  return takers;
}

/// The index in the whole network of each node of a stage; -1: not there.
std::vector<int> producers_of(const stage_graph& stage) {
  std::vector<int> producers(stage.net.nodes.size(), -1);
  for (std::size_t i = 0; i < stage.index_of.size(); ++i)
    if (stage.index_of[i] >= 0)
      producers[at(stage.index_of[i])] = static_cast<int>(i);
  return producers;
}

/// One stage on its way from the cut to what can be planned.
class stage_maker {
public:
  stage_maker(stage_graph from, const std::map<int, std::set<int>>& takers,
              const std::vector<int>& ends)
    : cut_{std::move(from)}, takers_{takers}, ends_{ends} {}

  result<pipeline_stage> make(const registry& ops, std::int64_t samples) {
    for (const auto& each : cut_.inputs)
      made_.arrivals.push_back(
        {each.placeholder, stage_of(ends_, each.producer), each.producer});
    const auto producers = producers_of(cut_);
    for (const int node : cut_.outputs)
      add_departures(node, producers[at(node)]);
    const auto final = fuse(place_inputs(cut_.net), visible());
    for (auto* part : {&made_.arrivals, &made_.departures})
      for (auto& each : *part)
        each.node = final.index_of[at(each.node)];
    std::ranges::sort(made_.departures, {}, &crossing::producer);
    PD_TRY(made_.net, infer(final.net, ops, samples));
    return std::move(made_);
  }

private:
  void add_departures(int node, int producer) {
    const auto& to = takers_.at(producer);
    const int last = *to.rbegin();
    for (const int peer : to)
      made_.departures.push_back(
        {peer == last ? node : add_exit(node, peer), peer, producer});
  }

  int add_exit(int node, int peer) {
    auto& nodes = cut_.net.nodes;
    nodes.push_back({nodes[at(node)].name + ".to_stage" + std::to_string(peer),
                     "identity",
                     {},
                     {node}});
    return static_cast<int>(nodes.size()) - 1;
  }

  [[nodiscard]] std::set<std::string> visible() const {
    std::set<std::string> names;
    for (const auto& each : made_.departures)
      names.insert(cut_.net.nodes[at(each.node)].name);
    return names;
  }

  stage_graph cut_;
  const std::map<int, std::set<int>>& takers_;
  const std::vector<int>& ends_;
  pipeline_stage made_;
};

bool belongs_to(const std::string& node, const std::string& block) {
  return node == block || node.starts_with(block + ".");
}

/// The index behind the last node of a block; -1 if there is none.
int end_of(const graph& whole, const std::string& block) {
  for (int i = static_cast<int>(whole.nodes.size()); i > 0; --i)
    if (belongs_to(whole.nodes[at(i - 1)].name, block))
      return i;
  return -1;
}

std::vector<std::string> block_names(const graph& whole) {
  std::vector<std::string> names;
  for (const auto& each : whole.nodes) {
    names.push_back(each.name);
    for (auto dot = each.name.find('.'); dot != std::string::npos;
         dot = each.name.find('.', dot + 1))
      names.push_back(each.name.substr(0, dot));
  }
  return names;
}

} // namespace

result<std::vector<int>> stage_ends(const graph& whole,
                                    const std::vector<std::string>& until) {
  std::vector<int> ends;
  for (std::size_t s = 0; s < until.size(); ++s) {
    const bool is_last = s + 1 == until.size();
    const auto& name = until[s];
    const auto where =
      "stage " + std::to_string(s) + ": until = '" + name + "'";
    if (name.empty() && !is_last)
      return error{errc::bad_value,
                   where
                     + ": wanted a node or block, only the last stage runs "
                       "to the end of the network"};
    const int end = is_last && name.empty()
                      ? static_cast<int>(whole.nodes.size())
                      : end_of(whole, name);
    if (end < 0)
      return error{errc::unknown_name,
                   where + ": no such node or block in " + whole.name
                     + did_you_mean(name, block_names(whole))};
    if (!ends.empty() && end <= ends.back())
      return error{errc::bad_value, where + ": ends before stage "
                                      + std::to_string(s - 1)
                                      + " does, or where it does"};
    ends.push_back(end);
  }
  if (ends.back() != static_cast<int>(whole.nodes.size()))
    return error{errc::bad_value,
                 "stage " + std::to_string(until.size() - 1) + ": until = '"
                   + until.back()
                   + "': the last stage has to run to the end of "
                     "the network; leave `until` out"};
  return ends;
}

result<std::vector<pipeline_stage>> cut_pipeline(const graph& whole,
                                                 const registry& ops,
                                                 std::int64_t samples,
                                                 const std::vector<int>& ends) {
  PD_TRY(const auto typed, infer(whole, ops, samples));
  const auto takers = takers_of(whole, ends);
  std::vector<pipeline_stage> made;
  int first = 0;
  for (const int end : ends) {
    PD_TRY(auto part, cut(typed, first, end));
    PD_TRY(auto stage,
           (stage_maker{std::move(part), takers, ends}.make(ops, samples)));
    made.push_back(std::move(stage));
    first = end;
  }
  return made;
}

result<topology> links_of(const std::vector<pipeline_stage>& stages,
                          const pipeline_shape& shape) {
  std::vector<std::pair<int, int>> skips;
  for (int s = 0; s < static_cast<int>(stages.size()); ++s)
    for (const auto& each : stages[at(s)].departures)
      skips.emplace_back(s, each.peer);
  return with_skips(shape, skips);
}

} // namespace pd
