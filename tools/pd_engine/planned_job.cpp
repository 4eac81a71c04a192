#include "tools/pd_engine/planned_job.hpp"

#include "engine/job/job_file.hpp"
#include "engine/models/models.hpp"
#include "engine/planner/pipedream_profile.hpp"
#include "engine/planner/profile_file.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/replay_job.hpp"

#include <algorithm>
#include <optional>

namespace pd {

namespace {

std::optional<model_info> find_model(const std::string& name) {
  const auto all = model_names();
  const auto found = std::ranges::find(all, name, &model_info::name);
  return found == all.end() ? std::nullopt : std::optional{*found};
}

/// A job of the model as it was made for.
job usual_job(const profile& of, const model_info& model) {
  job made;
  made.name = of.network + "_planned";
  made.model.name = of.network;
  made.model.classes = model.usual.classes;
  made.model.image = {static_cast<int>(model.usual.height),
                      static_cast<int>(model.usual.width),
                      static_cast<int>(model.usual.channels)};
  made.data.dataset = "synthetic";
  made.data.microbatch = std::max<std::int64_t>(1, of.minibatch);
  return made;
}

/// A rehearsal: the profile is all that there is of the network.
job rehearsal_job(const std::string& profile_path) {
  constexpr std::int64_t minibatches = 256;
  auto made = rehearsal_of({}, profile_path, minibatches);
  made.name = "planned";
  return made;
}

/// The loaders, then stage by stage: a job cuts a network in its order.
std::vector<int> stage_order(const profile& of, const partition& from) {
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(of.nodes.size()); ++i)
    if (is_loader(of.nodes[static_cast<std::size_t>(i)]))
      order.push_back(i);
  for (const auto& stage : from.stages)
    for (const int each : stage.nodes)
      if (!is_loader(of.nodes[static_cast<std::size_t>(each)]))
        order.push_back(each);
  return order;
}

profile in_order(const profile& of, const std::vector<int>& order) {
  std::vector<int> place(of.nodes.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    place[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  auto made = of;
  made.nodes.clear();
  for (const int each : order) {
    auto& node =
      made.nodes.emplace_back(of.nodes[static_cast<std::size_t>(each)]);
    for (auto& input : node.inputs)
      input = place[static_cast<std::size_t>(input)];
  }
  return made;
}

/// Holds the profile to the network that will be cut: its nodes are some of the
/// network's, in its order.
result<void> check_nodes(const profile& of, const graph& net) {
  int last = -1;
  for (const auto& each : of.nodes) {
    const auto found = net.find(each.name);
    if (!found)
      return found.failure().within("-o: the profile is not of the job's "
                                    "network");
    if (*found <= last)
      return error{errc::bad_value,
                   "-o: the profile is not of the job's network: wanted its "
                   "order, got '"
                     + each.name + "' behind '"
                     + net.nodes[static_cast<std::size_t>(last)].name + "'"};
    last = *found;
  }
  return {};
}

result<void> add_stages(const profile& of, const partition& from, job& to) {
  to.stages.clear();
  int end = -1;
  for (const auto& each : from.stages) {
    if (each.nodes.front() <= end)
      return error{
        errc::bad_value,
        "-o: a job's stages follow the network's order: wanted "
        "them one after the other, got '"
          + of.nodes[static_cast<std::size_t>(each.nodes.front())].name
          + "' in a later one"};
    end = each.nodes.back();
    const auto& last = of.nodes[static_cast<std::size_t>(end)].name;
    to.stages.push_back({last, each.replicas, from.schedule.recompute});
  }
  to.stages.back().until.clear(); // the end of the graph
  return {};
}

void set_schedule(const partition& from, job& to) {
  to.schedule = {};
  to.schedule.name = from.schedule.name;
  if (from.schedule.microbatches > 0)
    to.schedule.microbatches = from.schedule.microbatches;
}

/// Writes the profile that it is a rehearsal of, too.
result<job> planned_rehearsal(const profile& of, const partition& from,
                              const std::string& profile_path) {
  const auto ordered = in_order(of, stage_order(of, from));
  PD_CHECK(write_profile(ordered, profile_path));
  auto made = rehearsal_job(profile_path);
  for (const auto& each : from.stages) {
    const auto last = static_cast<std::size_t>(each.nodes.back());
    made.stages.push_back(
      {of.nodes[last].name, each.replicas, from.schedule.recompute});
  }
  made.stages.back().until.clear();
  set_schedule(from, made);
  return made;
}

} // namespace

result<job> planned_job(const profile& of, const partition& from,
                        const job_origin& origin, const registry& ops) {
  const auto model = find_model(of.network);
  if (origin.base.empty() && !model)
    return planned_rehearsal(of, from, origin.profile);
  PD_TRY(auto made,
         origin.base.empty() ? usual_job(of, *model) : load_job(origin.base));
  PD_TRY(const auto net, build_graph(made, ops));
  PD_CHECK(check_nodes(of, net));
  PD_CHECK(add_stages(of, from, made));
  set_schedule(from, made);
  return made;
}

} // namespace pd
