#include "engine/base/text.hpp"
#include "engine/job/cluster_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/planner/partition.hpp"
#include "engine/planner/profile_file.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/planned_job.hpp"

#include <charconv>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

struct plan_arguments {
  std::string profile;
  std::string cluster;
  std::string machines;
  std::string bandwidths;
  std::string memory_bytes = "0";
  std::string model = "engine";
  std::string job; ///< whose model and data go into `output`
  std::string output;
  partition_options options;
  bool is_json = false;
};

/// Numbers with commas between them. option, what: for an error.
template <class T>
result<std::vector<T>> read_numbers(const std::string& text, const char* option,
                                    const char* what) {
  std::vector<T> made;
  for (const auto& each : split(text, ',')) {
    T value{};
    const auto* end = each.data() + each.size();
    const auto read = std::from_chars(each.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end)
      return error{errc::bad_value,
                   fmt::format("{}: wanted {}, got '{}'", option, what, text)};
    made.push_back(value);
  }
  return made;
}

result<cluster> find_cluster(const plan_arguments& given) {
  if (!given.cluster.empty()) {
    PD_TRY(auto read, load_cluster(given.cluster));
    return std::move(read.machines);
  }
  if (given.machines.empty() || given.bandwidths.empty())
    return error{errc::bad_value, "plan: wanted --cluster, or --machines and "
                                  "--bandwidth"};
  PD_TRY(const auto machines,
         read_numbers<std::int64_t>(given.machines, "--machines",
                                    "counts N[,M...]"));
  PD_TRY(const auto bandwidths,
         read_numbers<double>(given.bandwidths, "--bandwidth",
                              "bytes a second B[,B2...]"));
  auto made = uniform_cluster(machines, bandwidths);
  if (!made)
    return made.failure().within("--machines, --bandwidth");
  return made;
}

constexpr const char* memory_wanted = "bytes from 0 on, 0 for no bound";

result<partition_options> find_options(const plan_arguments& given,
                                       bool is_ours) {
  auto made = given.options;
  const std::vector<std::string> models{"engine", "pipedream"};
  if (given.model != models[0] && given.model != models[1])
    return error{errc::unknown_name, "--cost-model: no model '" + given.model
                                       + "'" + did_you_mean(given.model, models)
                                       + "; there are " + join(models)};
  PD_TRY(const auto memory,
         read_numbers<double>(given.memory_bytes, "--memory", memory_wanted));
  if (memory.size() != 1 || !std::isfinite(memory[0]) || memory[0] < 0)
    return error{errc::bad_value,
                 fmt::format("--memory: wanted {}, got '{}'", memory_wanted,
                             given.memory_bytes)};
  made.model =
    given.model == models[0] ? cost_model::engine : cost_model::pipedream;
  made.rule = is_ours ? cut_rule::prefixes : cut_rule::antichains;
  made.memory_bytes = memory[0];
  return made;
}

// -- output -------------------------------------------------------------------

const std::string& name_of(const profile& of, int node) {
  return of.nodes[static_cast<std::size_t>(node)].name;
}

nlohmann::ordered_json to_json(const planned_stage& from, const profile& of) {
  auto nodes = nlohmann::ordered_json::array();
  for (const int node : from.nodes)
    nodes.push_back(name_of(of, node));
  return {{"first", name_of(of, from.nodes.front())},
          {"last", name_of(of, from.nodes.back())},
          {"replicas", from.replicas},
          {"compute_s", from.time.compute_s},
          {"sync_s", from.time.sync_s},
          {"send_s", from.time.send_s},
          {"memory_bytes", from.memory_bytes},
          {"in_flight", from.in_flight},
          {"versions", from.versions},
          {"first_worker", from.first_worker},
          {"replicas_by_level", from.replicas_by_level},
          {"group", from.group},
          {"nodes", std::move(nodes)}};
}

void print_json(const plan_arguments& given, const partition& from,
                const profile& of, int workers) {
  auto stages = nlohmann::ordered_json::array();
  int used = 0;
  for (const auto& each : from.stages) {
    stages.push_back(to_json(each, of));
    used += each.replicas;
  }
  fmt::print(
    "{}\n", nlohmann::ordered_json{{"network", of.network},
                                   {"cost_model", given.model},
                                   {"schedule", from.schedule.name},
                                   {"microbatches", from.schedule.microbatches},
                                   {"workers", workers},
                                   {"workers_used", used},
                                   {"cuts", from.cuts},
                                   {"kept_in_order", from.kept_in_order},
                                   {"objective_s", from.objective_s},
                                   {"dp_objective_s", from.dp_objective_s},
                                   {"dp_memory_bytes", from.dp_memory_bytes},
                                   {"dp_fits", from.dp_fits},
                                   {"stages", std::move(stages)}}
              .dump());
}

void print_text(const partition& from, const profile& of) {
  fmt::print("{:.3f} ms for each minibatch; data parallel {:.3f} ms ({:.2f} "
             "times){}\n",
             from.objective_s * 1e3, from.dp_objective_s * 1e3,
             from.dp_objective_s / from.objective_s,
             from.dp_fits ? "" : ", which does not fit into memory");
  for (const auto& each : from.kept_in_order)
    fmt::print("too many ways to cut {}: only in its order\n", each);
  if (from.stages.front().first_worker > 0)
    fmt::print("without the first {} of the workers: they would not help\n",
               from.stages.front().first_worker);
  fmt::print("\n{:>5} {:>8} {:>11} {:>10} {:>10} {:>10}  {}\n", "stage",
             "replicas", "compute ms", "sync ms", "send ms", "memory", "nodes");
  for (std::size_t i = 0; i < from.stages.size(); ++i) {
    const auto& each = from.stages[i];
    fmt::print("{:>5} {:>8} {:>11.3f} {:>10.3f} {:>10.3f} {:>10}  {} ... {}\n",
               i, each.replicas, each.time.compute_s * 1e3,
               each.time.sync_s * 1e3, each.time.send_s * 1e3,
               format_bytes(static_cast<std::int64_t>(each.memory_bytes)),
               name_of(of, each.nodes.front()), name_of(of, each.nodes.back()));
  }
}

result<void> write_job(const plan_arguments& given, const partition& from,
                       const profile& of, const registry& ops) {
  PD_TRY(
    const auto made,
    planned_job(of, from, {given.output + ".profile.json", given.job}, ops));
  return write_file(given.output, "# Planned by pd-engine plan " + given.profile
                                    + "\n\n" + print_job(made));
}

result<void> run(const plan_arguments& given, const registry& ops) {
  PD_TRY(const auto read, read_profile(given.profile));
  PD_TRY(const auto on, find_cluster(given));
  PD_TRY(const auto options, find_options(given, read.is_ours));
  const auto start = std::chrono::steady_clock::now();
  PD_TRY(const auto made, find_partition(read.nodes, on, options));
  const std::chrono::duration<double, std::milli> took =
    std::chrono::steady_clock::now() - start;
  if (!given.output.empty())
    PD_CHECK(write_job(given, made, read.nodes, ops));
  fmt::print(stderr, "planned in {:.2f} ms\n", took.count());
  if (given.is_json)
    print_json(given, made, read.nodes, on.size());
  else
    print_text(made, read.nodes);
  return {};
}

void add_cluster_options(CLI::App& app, plan_arguments& to) {
  auto* cluster = app.add_option("--cluster", to.cluster,
                                 "a cluster file, as those in configs/");
  app
    .add_option("--machines", to.machines,
                "N[,M...]: in a server, servers, ..., from the lowest level up")
    ->excludes(cluster);
  app
    .add_option("--bandwidth", to.bandwidths,
                "B[,B2...]: bytes a second of a link, by level")
    ->excludes(cluster);
  app.add_option("--memory", to.memory_bytes, "bytes of a worker; 0: no bound");
}

} // namespace

void add_plan(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<plan_arguments>();
  app
    .add_option("PROFILE", given->profile,
                "from pd-engine profile, or PipeDream's graph.txt")
    ->required();
  add_cluster_options(app, *given);
  auto& schedule = given->options.schedule;
  app.add_option("--schedule", schedule.name, "as in a job's [schedule]")
    ->capture_default_str();
  app.add_option("--microbatches", schedule.microbatches,
                 "of a round, for schedules that have rounds; 0: 4 a worker");
  app.add_flag("--recompute", schedule.recompute,
               "the backward runs the forward again");
  app.add_option("--cost-model", given->model, "engine or pipedream")
    ->capture_default_str();
  app.add_flag("--straight", given->options.is_straight,
               "one worker a stage, no replicas");
  auto* output = app.add_option("-o", given->output, "write a job file");
  app
    .add_option("--job", given->job,
                "the job whose model, data and all else goes into -o")
    ->needs(output);
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.callback([given, &context] {
    if (const auto done = run(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
