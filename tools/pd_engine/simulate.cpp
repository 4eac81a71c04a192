#include "engine/base/text.hpp"
#include "engine/job/cluster_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/planner/profile_cut.hpp"
#include "engine/planner/profile_file.hpp"
#include "engine/schedule/draw.hpp"
#include "engine/schedule/generate.hpp"
#include "engine/schedule/validate.hpp"
#include "engine/train/job_load.hpp"
#include "engine/train/session.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/trace.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

namespace pd {

namespace {

struct simulate_arguments {
  job_arguments which;
  std::string profile; ///< of a job
  std::string stages;  ///< of a profile
  std::string schedule = "pipedream";
  std::string depth;
  std::string machines, bandwidth, latency, cluster;
  std::string reduction = "exchange";
  std::string trace, svg;
  std::int64_t round = 1;
  std::int64_t microbatches = 0;
  double bucket_bytes = double{8} * (1 << 20);
  bool is_json = false;
};

/// A timetable with all that its simulation wants.
struct simulated_job {
  std::string name;
  std::shared_ptr<const timetable> rows;
  topology links;
  std::vector<stage_load> loads;
  std::int64_t epoch_microbatches = 0; ///< 0: not known
  std::int64_t pass_microbatches = 0;  ///< until the pipeline drains
  /// By stage; empty: to be estimated from `cut`.
  std::vector<double> memory_bytes;
  std::optional<profile_cut> cut;
};

// -- the network -------------------------------------------------------------

/// "4" or "4,2": numbers above (or from) `least`.
result<std::vector<double>> parse_numbers(const std::string& option,
                                          const std::string& text,
                                          double least) {
  std::vector<double> made;
  for (const auto& part : split(text, ',')) {
    double value = 0;
    const auto* end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || !std::isfinite(value)
        || value < least)
      return error{errc::bad_value,
                   fmt::format("{}: wanted numbers from {} on with commas "
                               "between, got '{}'",
                               option, least, text)};
    made.push_back(value);
  }
  return made;
}

/// One value for all levels, or one each.
result<double> at_level(const std::string& option,
                        const std::vector<double>& all, std::size_t level,
                        std::size_t levels) {
  if (all.size() != 1 && all.size() != levels)
    return error{errc::bad_value,
                 fmt::format("{}: wanted {} values, one a level of --machines, "
                             "got {}",
                             option, levels, all.size())};
  return all.size() == 1 ? all[0] : all[level];
}

/// Equal workers, from the options.
result<cluster> parse_cluster_options(const simulate_arguments& given) {
  if (given.machines.empty() || given.bandwidth.empty())
    return error{errc::bad_value,
                 "simulate: wanted --machines and --bandwidth together, or "
                 "--cluster, or none of them: free links"};
  PD_TRY(const auto machines, parse_numbers("--machines", given.machines, 1));
  PD_TRY(const auto bandwidth,
         parse_numbers("--bandwidth", given.bandwidth, 0));
  PD_TRY(
    const auto latency,
    parse_numbers("--latency", given.latency.empty() ? "0" : given.latency, 0));
  std::vector<std::int64_t> counts;
  std::vector<double> by_level;
  for (std::size_t l = 0; l < machines.size(); ++l) {
    counts.push_back(std::llround(std::min(machines[l], 1e9)));
    PD_TRY(by_level.emplace_back(),
           at_level("--bandwidth", bandwidth, l, machines.size()));
  }
  auto made = uniform_cluster(counts, by_level);
  if (!made)
    return made.failure().within("--machines, --bandwidth");
  for (std::size_t l = 0; l < machines.size(); ++l) {
    PD_TRY(made->levels[l].latency_s,
           at_level("--latency", latency, l, machines.size()));
  }
  return made;
}

result<fabric> find_fabric(const simulate_arguments& given) {
  const auto how =
    given.reduction == "ring" ? reduction_kind::ring : reduction_kind::exchange;
  if (!given.cluster.empty()) {
    PD_TRY(const auto read, load_cluster(given.cluster));
    return fabric_of(read.machines, how);
  }
  if (given.machines.empty() && given.bandwidth.empty()
      && given.latency.empty())
    return fabric{{}, how, {}};
  PD_TRY(const auto equal, parse_cluster_options(given));
  return fabric_of(equal, how);
}

// -- a job -------------------------------------------------------------------

constexpr std::int64_t most_actions = 6'000'000; // that a default simulates

/// Enough for the pipeline to be full for a while: whole rounds of every stage.
std::int64_t enough_microbatches(const std::string& schedule,
                                 const pipeline_shape& shape,
                                 std::int64_t round) {
  const placement place{shape};
  const std::int64_t in_flight =
    schedule == "pipedream" ? std::int64_t{3} * place.workers() : 0;
  const auto most = most_actions / (3 * place.virtual_stages());
  const auto wanted = std::min(std::max(in_flight, 6 * round), most);
  return std::max<std::int64_t>(3, (wanted + round - 1) / round) * round;
}

double total_bytes(const std::vector<memory_item>& items) {
  const auto add = [](double sum, const memory_item& each) {
    return sum + static_cast<double>(each.bytes);
  };
  return std::accumulate(items.begin(), items.end(), 0.0, add);
}

/// The job's timetable, of fewer microbatches if so many tell no more.
result<std::shared_ptr<const timetable>>
rows_of(const deployment& whole, const simulate_arguments& given,
        const registry& ops) {
  auto some = whole.what;
  some.train.max_microbatches =
    given.microbatches > 0
      ? given.microbatches
      : enough_microbatches(whole.training->schedule, whole.how.shape,
                            common_round(*whole.training));
  if (!some.schedule.file.empty()
      || some.train.max_microbatches >= whole.training->microbatches)
    return whole.training;
  PD_TRY(auto fewer, deploy(some, whole.sizes, ops));
  return std::move(fewer.training);
}

result<simulated_job> open_job(const simulate_arguments& given,
                               const registry& ops) {
  PD_TRY(const auto from, read_profile(given.profile));
  PD_TRY(const auto what, load_job(given.which.path, given.which.overrides));
  PD_TRY(const auto data, open_data(what));
  PD_TRY(const auto whole, deploy(what, data.sizes(), ops));
  if (!whole.training)
    return error{errc::bad_value, "train.epochs is 0: there is no schedule"};
  PD_TRY(auto load, load_of_job(whole, from.nodes, ops));
  simulated_job made;
  made.name = what.name;
  PD_TRY(made.rows, rows_of(whole, given, ops));
  made.links = whole.links;
  made.loads = std::move(load.loads);
  made.epoch_microbatches = whole.epoch_microbatches;
  made.pass_microbatches = whole.training->microbatches;
  for (const auto& each : load.memory)
    made.memory_bytes.push_back(total_bytes(each));
  return made;
}

// -- a profile ---------------------------------------------------------------

/// So many in flight at a stage as there are workers from it on, over its
/// replicas: PipeDream's own formula. But no more than a round has.
std::vector<int> usual_depth(const simulate_arguments& given,
                             const pipeline_shape& shape) {
  std::vector<int> made(shape.replicas.size());
  int workers = 0;
  for (auto s = made.size(); s-- > 0;) {
    const int replicas = shape.replicas[s];
    workers += replicas;
    made[s] = (workers + replicas - 1) / replicas;
    if (given.schedule != "pipedream")
      made[s] = static_cast<int>(
        std::clamp<std::int64_t>(given.round / replicas, 1, made[s]));
  }
  return made;
}

/// Empty: generate() finds one, which takes long for many workers.
result<std::vector<int>> parse_depth(const simulate_arguments& given,
                                     const pipeline_shape& shape) {
  constexpr int searched_workers = 32;
  const std::array searched{"pipedream", "1f1b", "pipedream-2bw"};
  if (!given.depth.empty()) {
    PD_TRY(const auto numbers, parse_numbers("--depth", given.depth, 1));
    return std::vector<int>(numbers.begin(), numbers.end());
  }
  const bool is_searched =
    std::ranges::find(searched, given.schedule) != searched.end();
  return is_searched && placement{shape}.workers() > searched_workers
           ? usual_depth(given, shape)
           : std::vector<int>{};
}

/// The microbatches of a round of every stage.
result<std::int64_t> round_of(const schedule_options& how) {
  std::int64_t made = 0;
  for (std::int64_t few = 1; made == 0; few *= 2) {
    PD_TRY(made, round_microbatches(how, few));
  }
  return made;
}

result<timetable> make_rows(const simulate_arguments& given,
                            const pipeline_shape& shape) {
  schedule_options how;
  how.name = given.schedule;
  how.shape = shape;
  how.round = given.round;
  PD_TRY(how.depth, parse_depth(given, shape));
  PD_TRY(const auto round, round_of(how));
  const auto wanted = given.microbatches > 0
                        ? given.microbatches
                        : enough_microbatches(how.name, shape, round);
  PD_TRY(how.microbatches, round_microbatches(how, wanted));
  if (how.microbatches == 0)
    return error{errc::bad_value,
                 fmt::format("--microbatches: wanted at least {}, a round of "
                             "every stage, got {}",
                             round, given.microbatches)};
  return generate(how);
}

result<simulated_job> open_profile(const simulate_arguments& given) {
  PD_TRY(const auto from, read_profile(given.which.path));
  PD_TRY(const auto stages, parse_stages(from.nodes, given.stages));
  simulated_job made;
  made.name = from.nodes.network;
  PD_TRY(made.cut, cut_profile(from.nodes, stages, given.bucket_bytes));
  PD_TRY(auto rows, make_rows(given, made.cut->shape));
  made.rows = std::make_shared<const timetable>(std::move(rows));
  made.links = made.cut->links;
  made.loads = made.cut->loads;
  return made;
}

// -- what comes of it --------------------------------------------------------

/// Seconds of an epoch: passes, each drained, most of it in the steady state.
double epoch_seconds(const simulated_job& of, const cluster_run& run,
                     double steady) {
  const auto more = of.pass_microbatches - of.rows->microbatches;
  const auto pass = run.actions.span + steady * static_cast<double>(more);
  return pass * static_cast<double>(of.epoch_microbatches)
         / static_cast<double>(of.pass_microbatches);
}

double memory_bytes(const simulated_job& of, const cluster_run& run,
                    int worker) {
  const placement place{of.rows->shape};
  const int stage = place.stage_of(worker);
  const auto w = static_cast<std::size_t>(worker);
  if (!of.memory_bytes.empty())
    return of.memory_bytes[static_cast<std::size_t>(stage)];
  return estimated_memory_bytes(*of.cut, stage, of.rows->rows[w],
                                run.actions.peak_in_flight[w]);
}

/// Of the time from the worker's first action to its last.
double bubble_of(const cluster_run& run, std::size_t worker) {
  const auto& times = run.actions.times[worker];
  if (times.empty() || times.back().end <= times.front().start)
    return 0;
  return 1
         - run.actions.busy[worker] / (times.back().end - times.front().start);
}

nlohmann::ordered_json worker_json(const simulated_job& of,
                                   const cluster_run& run, int worker) {
  const placement place{of.rows->shape};
  const auto w = static_cast<std::size_t>(worker);
  return {{"worker", worker},
          {"stage", place.stage_of(worker)},
          {"replica", place.replica_of(worker)},
          {"busy_s", run.actions.busy[w]},
          {"bubble_share", bubble_of(run, w)},
          {"peak_in_flight", run.actions.peak_in_flight[w]},
          {"reduced_bytes", run.reduced_bytes[w]},
          {"memory_bytes", memory_bytes(of, run, worker)}};
}

void print_json(const simulated_job& of, const cluster_run& run) {
  const auto steady = steady_seconds(*of.rows, run);
  nlohmann::ordered_json made{{"name", of.name},
                              {"schedule", of.rows->schedule},
                              {"replicas", of.rows->shape.replicas},
                              {"depth", of.rows->depth},
                              {"microbatches", of.rows->microbatches},
                              {"seconds_per_minibatch", steady},
                              {"span_s", run.actions.span},
                              {"bubble_share", bubble_share(run.actions)}};
  if (of.epoch_microbatches > 0) {
    made["epoch_microbatches"] = of.epoch_microbatches;
    made["epoch_s"] = epoch_seconds(of, run, steady);
  }
  auto& workers = made["workers"] = nlohmann::json::array();
  for (int w = 0; w < std::ssize(run.actions.busy); ++w)
    workers.push_back(worker_json(of, run, w));
  auto& links = made["links"] = nlohmann::json::array();
  for (const auto& each : run.links)
    links.push_back({{"from", each.from},
                     {"to", each.to},
                     {"messages", each.messages},
                     {"bytes", each.bytes}});
  fmt::print("{}\n", made.dump());
}

std::string bytes_text(double bytes) {
  return format_bytes(static_cast<std::int64_t>(bytes));
}

/// No more workers and links than a person reads.
constexpr int shown_at_most = 32;

/// "2-1", or how many stages there are if they are many.
std::string shape_text(const pipeline_shape& shape) {
  constexpr std::size_t most = 16;
  if (shape.replicas.size() <= most)
    return "stages of " + to_string(shape) + " replicas";
  return fmt::format("{} stages, {} workers", shape.replicas.size(),
                     placement{shape}.workers());
}

void print_text(const simulated_job& of, const cluster_run& run) {
  const auto steady = steady_seconds(*of.rows, run);
  const auto workers = static_cast<int>(std::ssize(run.actions.busy));
  fmt::print("{}: {} on {}, {} microbatches simulated\n", of.name,
             of.rows->schedule, shape_text(of.rows->shape),
             of.rows->microbatches);
  fmt::print("{:.6g} s a minibatch in the steady state\n", steady);
  if (of.epoch_microbatches > 0)
    fmt::print("{:.6g} s an epoch of {} minibatches\n",
               epoch_seconds(of, run, steady), of.epoch_microbatches);
  for (int w = 0; w < std::min(workers, shown_at_most); ++w)
    fmt::print("{}: bubble {:.1f} %, memory {}, {} in sums\n",
               placement{of.rows->shape}.describe(w),
               100 * bubble_of(run, static_cast<std::size_t>(w)),
               bytes_text(memory_bytes(of, run, w)),
               bytes_text(run.reduced_bytes[static_cast<std::size_t>(w)]));
  for (int i = 0; i < std::min<int>(static_cast<int>(std::ssize(run.links)),
                                    shown_at_most);
       ++i) {
    const auto& each = run.links[static_cast<std::size_t>(i)];
    fmt::print("worker {} to worker {}: {} in {} messages\n", each.from,
               each.to, bytes_text(each.bytes), each.messages);
  }
  if (workers > shown_at_most || std::ssize(run.links) > shown_at_most)
    fmt::print("and {} workers and {} links in all: see --json\n", workers,
               run.links.size());
}

/// As a run's trace: microseconds.
std::vector<worker_trace> trace_of(const timetable& all,
                                   const simulation& run) {
  constexpr std::array names{"forward",         "backward", "backward input",
                             "backward weight", "update",   "evaluate"};
  constexpr double us = 1e6;
  std::vector<worker_trace> made(run.times.size());
  for (std::size_t w = 0; w < made.size(); ++w)
    for (std::size_t i = 0; i < run.times[w].size(); ++i) {
      const auto& cell = all.rows[w][i];
      made[w].push_back({names[static_cast<std::size_t>(cell.kind)], cell.index,
                         std::llround(run.times[w][i].start * us),
                         std::llround(run.times[w][i].end * us)});
    }
  return made;
}

result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream to{path};
  to << text;
  to.close();
  return to ? result<void>{} : error{errc::io, path + ": cannot be written"};
}

result<simulated_job> open(const simulate_arguments& given,
                           const registry& ops) {
  if (!given.profile.empty() && given.stages.empty())
    return open_job(given, ops);
  if (given.profile.empty() && !given.stages.empty())
    return open_profile(given);
  return error{errc::bad_value,
               "simulate: wanted JOB --profile PROFILE, or PROFILE --stages "
               "STAGES"};
}

result<void> run_simulate(const simulate_arguments& given,
                          const registry& ops) {
  PD_TRY(const auto net, find_fabric(given));
  PD_TRY(const auto what, open(given, ops));
  PD_CHECK(net.check(placement{what.rows->shape}.workers()));
  const auto run = simulate_cluster(*what.rows, what.links, what.loads, net);
  if (!run.actions.deadlock.empty())
    return error{errc::bad_value, what.name + ": the timetable deadlocks: "
                                    + to_string(run.actions.deadlock)};
  if (!given.trace.empty())
    PD_CHECK(
      write_file(given.trace, trace_json(trace_of(*what.rows, run.actions))));
  if (!given.svg.empty())
    PD_CHECK(write_file(given.svg, draw_svg(*what.rows, run.actions)));
  given.is_json ? print_json(what, run) : print_text(what, run);
  return {};
}

void add_network(CLI::App& app, simulate_arguments& given) {
  auto* cluster = app.add_option("--cluster", given.cluster,
                                 "a cluster file, as those in configs/");
  app
    .add_option("--machines", given.machines,
                "N[,M...]: in a server, servers, ..., from the lowest level "
                "up. Without them links are free")
    ->excludes(cluster);
  app
    .add_option("--bandwidth", given.bandwidth,
                "B[,B2...]: bytes a second of a link, by level")
    ->excludes(cluster);
  app.add_option("--latency", given.latency, "S[,S2...]: seconds, by level")
    ->excludes(cluster);
  app
    .add_option("--reduction", given.reduction,
                "how replicas sum: exchange, as the engine, or ring")
    ->check(CLI::IsMember({"exchange", "ring"}))
    ->capture_default_str();
}

} // namespace

void add_simulate(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<simulate_arguments>();
  app
    .add_option("JOB", given->which.path,
                "a job file with --profile, or a profile with --stages")
    ->required();
  app
    .add_option("--set", given->which.overrides,
                "section.key=value: instead of what the job file says")
    ->allow_extra_args(false);
  app.add_option("--profile", given->profile, "of the job's network");
  app.add_option("--stages", given->stages,
                 "of a profile: \"layer2:2,:1\", a node and replicas each; or "
                 "\"4x2\", four of equal time with two replicas each");
  app.add_option("--schedule", given->schedule, "with --stages")
    ->capture_default_str();
  app.add_option("--round", given->round, "microbatches of a round, likewise")
    ->check(CLI::PositiveNumber);
  app.add_option("--depth", given->depth, "in flight by stage, likewise");
  app.add_option("--bucket-bytes", given->bucket_bytes, "likewise")
    ->check(CLI::PositiveNumber)
    ->capture_default_str();
  app
    .add_option("--microbatches", given->microbatches,
                "to simulate; 0: until the pipeline is full for a while")
    ->check(CLI::NonNegativeNumber);
  add_network(app, *given);
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.add_option("--trace", given->trace,
                 "write the timeline, for chrome://tracing and Perfetto");
  app.add_option("--svg", given->svg, "draw the timeline into this file");
  app.callback([given, &context] {
    if (const auto done = run_simulate(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
