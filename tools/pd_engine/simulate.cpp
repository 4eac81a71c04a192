#include "engine/base/text.hpp"
#include "engine/schedule/draw.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/simulated_job.hpp"
#include "tools/pd_engine/trace.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

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

result<void> run_simulate(const simulate_arguments& given,
                          const registry& ops) {
  PD_TRY(const auto net, find_fabric(given));
  PD_TRY(const auto what, open_simulated(given, ops));
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
                "how replicas sum: as this engine does, or in one way")
    ->check(CLI::IsMember(reductions))
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
