#include "actors/actor_runner.hpp"
#include "engine/job/cluster_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/planner/simulation.hpp"
#include "engine/train/job_load.hpp"
#include "engine/train/replay_job.hpp"
#include "engine/train/session.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/interrupt.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace pd {

namespace {

struct rehearse_arguments {
  job_arguments which;
  std::string profile;
  std::string cluster;
  std::optional<double> time_scale; ///< none: the job's
  std::optional<double> byte_scale;
  std::int64_t minibatches = 0;
  bool is_json = false;
};

/// An update of the last stage, in the rehearsal's own time.
struct update_time {
  std::int64_t minibatch = 0; ///< the last one in it
  double s = 0;
};

/// A worker tells of an update with what it does next, and of the last ones at
/// once: the first of those, told in far less than an update takes.
std::size_t first_of_the_end(const std::vector<update_time>& updates) {
  const auto mean = updates.back().s / static_cast<double>(updates.size());
  auto index = updates.size() - 1;
  while (index > 0 && updates[index].s - updates[index - 1].s < 0.1 * mean)
    --index;
  return index;
}

/// Seconds a minibatch in the later half of the updates, when the pipeline is
/// full; of the whole run if there are too few to tell.
double steady_seconds(const std::vector<update_time>& updates) {
  const auto end = first_of_the_end(updates);
  const auto middle = updates.size() / 2;
  const auto& last = updates.back();
  if (end <= middle || updates.size() < 8)
    return last.s / static_cast<double>(last.minibatch + 1);
  return (updates[end].s - updates[middle].s)
         / static_cast<double>(updates[end].minibatch
                               - updates[middle].minibatch);
}

struct rehearsal {
  double minibatch_s = 0; ///< on the cluster: the time scale is taken out
  std::int64_t minibatches = 0;
  double took_s = 0; ///< here
  std::vector<double> busy_shares;
  double predicted_s = 0; ///< by simulation, a minibatch on the cluster
};

std::int64_t workers_of(const job& from) {
  std::int64_t workers = 0;
  for (const auto& each : from.stages)
    workers += each.replicas;
  return std::max<std::int64_t>(workers, 1);
}

result<job> rehearsal_job(const rehearse_arguments& given) {
  PD_TRY(const auto from, load_job(given.which.path, given.which.overrides));
  const auto minibatches =
    given.minibatches > 0 ? given.minibatches : 16 * workers_of(from);
  if (given.profile.empty() && !is_replay_job(from))
    return error{errc::bad_value,
                 "rehearse: wanted --profile, or a job with run.device = "
                 "\"replay\", got run.device = \""
                   + from.run.device + "\""};
  auto made = rehearsal_of(
    from, given.profile.empty() ? from.model.file : given.profile, minibatches);
  made.run.time_scale = given.time_scale.value_or(made.run.time_scale);
  made.run.byte_scale = given.byte_scale.value_or(made.run.byte_scale);
  return made;
}

/// Where it is rehearsed, and the network there as a simulation sees it.
struct stage_set {
  actor_runner_options runner;
  fabric links; ///< free ones
};

result<stage_set> find_place(const rehearse_arguments& given, job& to,
                             const std::atomic<bool>& stop) {
  stage_set made;
  made.runner.stop = &stop;
  if (given.cluster.empty())
    return made;
  PD_TRY(const auto on, load_cluster(given.cluster));
  PD_TRY(made.runner.places, places_in(on.machines, on.coordinator_host,
                                       static_cast<int>(workers_of(to))));
  made.links = fabric_of(on.machines);
  to.run.workers = "processes";
  return made;
}

/// What the simulator says of the same timetable, bytes and links.
result<double> predicted_seconds(const deployment& of, const fabric& links,
                                 const registry& ops) {
  PD_TRY(const auto costs, replayed_profile(of.what));
  PD_TRY(const auto load, load_of_job(of, costs, ops));
  const auto run = simulate_cluster(*of.training, of.links, load.loads, links);
  return steady_seconds(*of.training, run) / of.what.run.time_scale;
}

result<rehearsal> rehearse(session& with, const std::atomic<bool>& stop) {
  std::vector<update_time> updates;
  PD_TRY(
    const auto summary,
    with.loop->run(
      {.on_update = [&](const update_metrics& at, const auto&) -> result<void> {
         updates.push_back({at.microbatch, at.time_s});
         return {};
       },
       .on_evaluating = [](const auto&) {},
       .on_evaluation = [](const auto&) -> result<void> { return {}; }},
      stop));
  if (updates.empty())
    return error{errc::interrupted, "interrupted before the first update"};
  return rehearsal{steady_seconds(updates) / with.plan->what.run.time_scale,
                   summary.samples, summary.seconds, with.runner->busy_shares(),
                   0};
}

void print_text(const rehearsal& of) {
  fmt::print("{:.4f} s for each minibatch ({} of them in {:.1f} s here); "
             "simulated {:.4f} s, {:+.1f} %\n",
             of.minibatch_s, of.minibatches, of.took_s, of.predicted_s,
             100 * (of.predicted_s / of.minibatch_s - 1));
  for (std::size_t w = 0; w < of.busy_shares.size(); ++w)
    fmt::print("worker {:<3} busy {:.0f} %\n", w, 100 * of.busy_shares[w]);
}

result<void> run(const rehearse_arguments& given, const registry& ops) {
  const auto& stop = watch_interrupts();
  PD_TRY(auto what, rehearsal_job(given));
  PD_TRY(const auto place, find_place(given, what, stop));
  PD_TRY(auto with, open_session(what, ops, actor_runner::with(place.runner)));
  PD_TRY(auto made, rehearse(with, stop));
  PD_TRY(made.predicted_s, predicted_seconds(*with.plan, place.links, ops));
  if (given.is_json)
    print_json({{"minibatch_s", made.minibatch_s},
                {"predicted_s", made.predicted_s},
                {"minibatches", made.minibatches},
                {"time_scale", what.run.time_scale},
                {"byte_scale", what.run.byte_scale},
                {"seconds", made.took_s},
                {"busy_shares", made.busy_shares}});
  else
    print_text(made);
  return {};
}

/// CLI::Range lets what is no number pass.
CLI::Validator between(double least, double most) {
  return {[=](const std::string& given) {
            double value = 0;
            const bool is_number = CLI::detail::lexical_cast(given, value);
            return is_number && value >= least && value <= most
                     ? std::string{}
                     : fmt::format("wanted a number from {} to {}, got {}",
                                   least, most, given);
          },
          fmt::format("{} to {}", least, most)};
}

} // namespace

void add_rehearse(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<rehearse_arguments>();
  given->which.add_to(app);
  app.add_option("--profile", given->profile,
                 "what each node costs; none: JOB is a rehearsal already, as "
                 "plan -o writes one");
  app.add_option("--cluster", given->cluster,
                 "where the workers are: a cluster file, as tools/netlab "
                 "writes one; none: processes or threads, as the job says");
  app
    .add_option("--time-scale", given->time_scale,
                "times the profile's times; else the job's "
                "run.time_scale")
    ->check(between(1e-6, 1e6));
  app
    .add_option("--byte-scale", given->byte_scale,
                "times the profile's bytes; else the job's "
                "run.byte_scale")
    ->check(between(1e-9, 1e3));
  app
    .add_option("--minibatches", given->minibatches, "how many; 0: 16 a worker")
    ->check(between(0, 1e9));
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.callback([given, &context] {
    if (const auto done = run(*given, context.ops); !done)
      fail(context, done.failure());
  });
}

} // namespace pd
