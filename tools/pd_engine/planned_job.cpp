#include "tools/pd_engine/planned_job.hpp"

#include "engine/base/text.hpp"
#include "engine/job/job_file.hpp"
#include "engine/models/models.hpp"
#include "engine/train/deployment.hpp"

#include <algorithm>

namespace pd {

namespace {

/// A job of the model as it was made for.
result<job> usual_job(const profile& of) {
  std::vector<std::string> names;
  for (const auto& each : model_names()) {
    names.push_back(each.name);
    if (each.name != of.network)
      continue;
    job made;
    made.name = of.network + "_planned";
    made.model.name = of.network;
    made.model.classes = each.usual.classes;
    made.model.image = {static_cast<int>(each.usual.height),
                        static_cast<int>(each.usual.width),
                        static_cast<int>(each.usual.channels)};
    made.data.dataset = "synthetic";
    made.data.microbatch = std::max<std::int64_t>(1, of.minibatch);
    return made;
  }
  return error{errc::unknown_name,
               "-o: the profile is of '" + of.network
                 + "', which is no built-in model"
                 + did_you_mean(of.network, names)
                 + "; wanted one, or --job with the job that was profiled"};
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

} // namespace

result<job> planned_job(const profile& of, const partition& from,
                        const std::string& base, const registry& ops) {
  PD_TRY(auto made, base.empty() ? usual_job(of) : load_job(base));
  PD_TRY(const auto net, build_graph(made, ops));
  PD_CHECK(check_nodes(of, net));
  PD_CHECK(add_stages(of, from, made));
  made.schedule = {};
  made.schedule.name = from.schedule.name;
  if (from.schedule.microbatches > 0)
    made.schedule.microbatches = from.schedule.microbatches;
  return made;
}

} // namespace pd
