#include "engine/planner/profile_cut.hpp"

#include "engine/base/text.hpp"
#include "engine/planner/pipedream_profile.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

namespace pd {

namespace {

constexpr int most_workers = 4096; // of a stage: placement.hpp
constexpr double us = 1e-6;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// A whole number from 1 on, and nothing else; nothing if it is none.
std::optional<int> count_of(const std::string& text) {
  int value = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end || value < 1)
    return {};
  return value;
}

// -- stages ------------------------------------------------------------------

/// The last node of each of `stages` parts that take as near to the same time
/// as whole nodes allow.
result<std::vector<profile_stage>> equal_stages(const profile& from, int stages,
                                                int replicas) {
  const auto nodes = static_cast<int>(from.nodes.size());
  if (stages > nodes)
    return error{errc::bad_value,
                 "--stages: wanted at most " + std::to_string(nodes)
                   + " stages, one a node, got " + std::to_string(stages)};
  double left = 0;
  for (const auto& each : from.nodes)
    left += compute_us(each);
  std::vector<profile_stage> made;
  int node = 0;
  for (int s = 0; s < stages; ++s) {
    const int later = stages - 1 - s; // stages that want a node
    const double share = left / (later + 1);
    double own = compute_us(from.nodes[at(node++)]);
    while (
      node < nodes - later
      && (later == 0 || own + compute_us(from.nodes[at(node)]) / 2 <= share))
      own += compute_us(from.nodes[at(node++)]);
    left -= own;
    made.push_back({node - 1, replicas});
  }
  return made;
}

/// "4" or "4x2"; nothing if it is neither.
std::optional<std::pair<int, int>> equal_counts(const std::string& text) {
  const auto parts = split(text, 'x');
  const auto stages = count_of(parts[0]);
  const auto replicas =
    parts.size() == 2 ? count_of(parts[1]) : std::optional<int>{1};
  if (parts.size() > 2 || !stages || !replicas)
    return {};
  return std::pair{*stages, *replicas};
}

result<profile_stage> parse_stage(const profile& from, const std::string& text,
                                  bool is_last) {
  profile_stage made{static_cast<int>(from.nodes.size()) - 1, 1};
  const auto colon = text.rfind(':');
  const auto name = text.substr(0, colon);
  if (colon != std::string::npos) {
    const auto replicas = count_of(text.substr(colon + 1));
    if (!replicas || *replicas > most_workers)
      return error{errc::bad_value, "wanted replicas behind the colon, 1 to "
                                      + std::to_string(most_workers) + ", got '"
                                      + text + "'"};
    made.replicas = *replicas;
  }
  if (name.empty() && is_last)
    return made;
  PD_TRY(made.last, from.find(name));
  return made;
}

result<void> check_order(const std::vector<profile_stage>& stages,
                         const profile& from) {
  for (std::size_t s = 1; s < stages.size(); ++s)
    if (stages[s].last <= stages[s - 1].last)
      return error{errc::bad_value, "--stages: stage " + std::to_string(s)
                                      + " ends before stage "
                                      + std::to_string(s - 1)
                                      + " does, or where it does"};
  if (stages.back().last + 1 != std::ssize(from.nodes))
    return error{errc::bad_value,
                 "--stages: the last stage has to run to the end, '"
                   + from.nodes.back().name + "', got '"
                   + from.nodes[at(stages.back().last)].name + "'"};
  return {};
}

// -- what they cost ----------------------------------------------------------

class profile_cutter {
public:
  profile_cutter(const profile& from, const std::vector<profile_stage>& stages,
                 double bucket_bytes)
    : from_{from}, stages_{stages}, bucket_bytes_{bucket_bytes} {
    for (const auto& each : stages)
      made_.shape.replicas.push_back(each.replicas);
  }

  result<profile_cut> cut() {
    PD_CHECK(check(made_.shape));
    made_.loads.resize(stages_.size());
    made_.parameter_bytes.resize(stages_.size());
    made_.stash_bytes.resize(stages_.size());
    for (int i = 0; i < std::ssize(from_.nodes); ++i)
      add_node(from_.nodes[at(i)], stage_of(i));
    for (int s = 0; s < std::ssize(stages_); ++s)
      add_buckets(s);
    PD_CHECK(add_edges());
    return std::move(made_);
  }

private:
  [[nodiscard]] int stage_of(int node) const {
    const auto found =
      std::ranges::lower_bound(stages_, node, {}, &profile_stage::last);
    return static_cast<int>(found - stages_.begin());
  }

  void add_node(const profiled_node& node, int stage) {
    made_.stash_bytes[at(stage)] += node.stash_bytes;
    if (is_loader(node))
      return;
    auto& load = made_.loads[at(stage)];
    load.forward_s += node.forward.us * us;
    load.input_s += node.backward_input.us * us;
    load.weight_s += node.backward_weight.us * us;
    load.update_s += node.update.us * us;
    made_.parameter_bytes[at(stage)] += node.parameter_bytes;
  }

  /// In the order of the backward.
  void add_buckets(int stage) {
    auto& load = made_.loads[at(stage)];
    const auto all = (load.input_s + load.weight_s) / us;
    const int first = stage == 0 ? 0 : stages_[at(stage - 1)].last + 1;
    bucket_load open;
    double done = 0;
    for (int i = stages_[at(stage)].last; i >= first; --i) {
      const auto& node = from_.nodes[at(i)];
      if (node.parameter_bytes > 0 && open.bytes >= bucket_bytes_) {
        load.buckets.push_back(open);
        open.bytes = 0;
      }
      done += backward_us(node);
      if (node.parameter_bytes > 0)
        open = {open.bytes + node.parameter_bytes,
                all > 0 ? std::min(1.0, done / all) : 1};
    }
    if (open.bytes > 0)
      load.buckets.push_back(open);
  }

  using edge_bytes = std::map<std::pair<int, int>, double>; // from, to

  /// A value goes once to each stage that takes it.
  [[nodiscard]] edge_bytes bytes_by_edge() const {
    edge_bytes made;
    std::set<std::pair<int, int>> sent; // node, stage
    for (int i = 0; i < std::ssize(from_.nodes); ++i)
      for (const int input : from_.nodes[at(i)].inputs) {
        const auto& value = from_.nodes[at(input)];
        const std::pair edge{stage_of(input), stage_of(i)};
        if (edge.first < edge.second && !is_loader(value)
            && sent.emplace(input, edge.second).second)
          made[edge] += output_bytes(value);
      }
    return made;
  }

  /// What goes on comes back as a gradient.
  result<void> add_edges() {
    auto bytes = bytes_by_edge();
    std::vector<std::pair<int, int>> skips;
    skips.reserve(bytes.size());
    for (const auto& [edge, sum] : bytes)
      skips.push_back(edge);
    PD_TRY(made_.links, with_skips(made_.shape, skips));
    for (int s = 0; s < std::ssize(stages_); ++s) {
      for (const int to : made_.links[at(s)].downstream)
        made_.loads[at(s)].activation_bytes.push_back(bytes[{s, to}]);
      for (const int to : made_.links[at(s)].upstream)
        made_.loads[at(s)].gradient_bytes.push_back(bytes[{to, s}]);
    }
    return {};
  }

  const profile& from_;
  const std::vector<profile_stage>& stages_;
  double bucket_bytes_;
  profile_cut made_;
};

} // namespace

result<std::vector<profile_stage>> parse_stages(const profile& from,
                                                const std::string& text) {
  if (from.nodes.empty())
    return error{errc::bad_value, from.network + ": the profile has no nodes"};
  if (const auto equal = equal_counts(text))
    return equal_stages(from, equal->first, equal->second);
  const auto parts = split(text, ',');
  std::vector<profile_stage> made;
  for (std::size_t s = 0; s < parts.size(); ++s) {
    auto stage = parse_stage(from, parts[s], s + 1 == parts.size());
    if (!stage)
      return stage.failure().within("--stages: stage " + std::to_string(s));
    made.push_back(*stage);
  }
  PD_CHECK(check_order(made, from));
  return made;
}

result<profile_cut> cut_profile(const profile& from,
                                const std::vector<profile_stage>& stages,
                                double bucket_bytes) {
  return profile_cutter{from, stages, bucket_bytes}.cut();
}

double estimated_memory_bytes(const profile_cut& of, int stage,
                              const row& cells, std::int64_t peak_in_flight) {
  const auto copies = static_cast<double>(versions_kept(cells) + 2);
  return of.parameter_bytes[at(stage)] * copies
         + of.stash_bytes[at(stage)] * static_cast<double>(peak_in_flight);
}

} // namespace pd
