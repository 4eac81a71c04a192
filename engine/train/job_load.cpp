#include "engine/train/job_load.hpp"

#include "engine/planner/pipedream_profile.hpp"
#include "engine/planner/replay_graph.hpp"
#include "engine/planner/running_nodes.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace pd {

namespace {

constexpr double us = 1e-6;

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// By the name of a running node, as plans call it.
using nodes_by_name = std::map<std::string, const profiled_node*>;

/// By `until`, or by the running node's own name.
const profiled_node* find(const profile& in, const running_node& wanted) {
  for (const auto* name : {&wanted.until, &wanted.name})
    for (const auto& each : in.nodes)
      if (each.name == *name)
        return &each;
  return nullptr;
}

result<void> check_all_used(const profile& from, const nodes_by_name& used,
                            const std::string& network) {
  for (const auto& each : from.nodes)
    if (!is_loader(each) && std::ranges::none_of(used, [&](const auto& one) {
          return one.second == &each;
        }))
      return error{errc::unknown_name, "profile: node '" + each.name
                                         + "' is not in the job's network "
                                         + network};
  return {};
}

result<nodes_by_name> match_nodes(const deployment& all, const profile& from,
                                  const registry& ops) {
  PD_TRY(const auto net, build_graph(all.what, ops));
  nodes_by_name made;
  for (const auto& each : running_nodes(net)) {
    if (each.is_from_loader || each.until.empty())
      continue;
    const auto* found = find(from, each);
    if (found == nullptr && is_replay_end(each.until))
      continue;
    if (found == nullptr)
      return error{errc::unknown_name, "profile: no node '" + each.until
                                         + "' of the job's network " + net.name
                                         + "; it is of " + from.network};
    made[each.name] = found;
  }
  PD_CHECK(check_all_used(from, made, net.name));
  return made;
}

result<void> check_minibatch(const deployment& all, const profile& from) {
  if (from.minibatch == 0 || from.minibatch == all.what.data.microbatch)
    return {};
  return error{errc::bad_value,
               "profile: its minibatch is " + std::to_string(from.minibatch)
                 + " samples; wanted the job's data.microbatch = "
                 + std::to_string(all.what.data.microbatch)};
}

/// One chunk: its nodes' times, in the order in which they run.
class load_maker {
public:
  load_maker(const stage_plan& plan, const nodes_by_name& nodes) : plan_{plan} {
    for (const auto& each : plan.nodes) {
      const auto found = nodes.find(each.name);
      timed_.push_back(
        each.run == nullptr || found == nodes.end() ? nullptr : found->second);
    }
  }

  stage_load make(const pipeline_stage& stage, const stage_links& links,
                  std::span<const gradient_bucket> buckets) {
    for (std::size_t i = 0; i < timed_.size(); ++i)
      add(i);
    for (const auto& each : buckets)
      made_.buckets.push_back({4.0 * static_cast<double>(each.end - each.first),
                               share_until(each.node)});
    for (const int peer : links.downstream)
      made_.activation_bytes.push_back(bytes(stage.departures, peer));
    for (const int peer : links.upstream)
      made_.gradient_bytes.push_back(bytes(stage.arrivals, peer));
    return std::move(made_);
  }

private:
  void add(std::size_t i) {
    if (timed_[i] == nullptr)
      return;
    made_.forward_s += timed_[i]->forward.us * us;
    made_.input_s += timed_[i]->backward_input.us * us;
    made_.weight_s += timed_[i]->backward_weight.us * us;
    made_.update_s += timed_[i]->update.us * us;
    if (plan_.nodes[i].is_repeated)
      made_.again_s += timed_[i]->forward.us * us;
  }

  /// What is done of the action that ends a microbatch, once it is through
  /// with a node: of B what runs again too, of W the weight halves only.
  [[nodiscard]] double share_until(int node) const {
    double done = 0;
    double all = 0;
    for (auto i = std::ssize(timed_); i-- > 0;) {
      all += seconds_at(i);
      if (i >= node)
        done = all;
    }
    return all > 0 ? done / all : 1;
  }

  [[nodiscard]] double seconds_at(std::int64_t i) const {
    double sum = 0;
    if (!plan_.options.splits_backward) {
      for (auto k = again_from(i); k <= i; ++k)
        if (plan_.nodes[at(k)].is_repeated && timed_[at(k)] != nullptr)
          sum += timed_[at(k)]->forward.us;
      sum += timed_[at(i)] == nullptr ? 0 : timed_[at(i)]->backward_input.us;
    }
    return sum
           + (timed_[at(i)] == nullptr ? 0 : timed_[at(i)]->backward_weight.us);
  }

  /// The first node of the segment that node i ends; behind i if it ends none.
  [[nodiscard]] std::int64_t again_from(std::int64_t i) const {
    const auto& starts = plan_.segments;
    const auto next = std::ranges::upper_bound(starts, static_cast<int>(i));
    const auto end = next == starts.end() ? std::ssize(timed_) : *next;
    return next == starts.begin() || end != i + 1 ? i + 1 : *std::prev(next);
  }

  [[nodiscard]] double bytes(const std::vector<crossing>& all, int peer) const {
    double sum = 0;
    for (const auto& each : all)
      if (each.peer == peer)
        sum += static_cast<double>(plan_.values[at(each.node)].type.bytes());
    return sum;
  }

  const stage_plan& plan_;
  std::vector<const profiled_node*> timed_; ///< by node of the plan
  stage_load made_;
};

} // namespace

result<job_load> load_of_job(const deployment& all, const profile& from,
                             const registry& ops) {
  PD_CHECK(check_minibatch(all, from));
  PD_TRY(const auto nodes, match_nodes(all, from, ops));
  const auto where = all.where();
  job_load made;
  made.loads.resize(at(where.virtual_stages()));
  for (int s = 0; s < where.stages(); ++s) {
    const int worker = where.worker_at(s, 0);
    PD_TRY(const auto on, open_device(all.what.run.device,
                                      {.threads = threads_of_worker(all)}));
    PD_TRY(const auto plans, plan_worker(all, worker, ops, *on));
    for (int c = 0; c < std::ssize(plans); ++c) {
      const auto v = at(where.virtual_stage(s, c));
      made.loads[v] = load_maker{plans[at(c)], nodes}.make(
        all.stages[v], all.links[v], buckets_of(all, plans[at(c)]));
    }
    PD_TRY(auto memory, memory_of_worker(all, worker, plans, ops, *on));
    made.memory.push_back(std::move(memory));
  }
  return made;
}

} // namespace pd
