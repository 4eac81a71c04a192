#include "engine/base/text.hpp"
#include "engine/job/cluster_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/planner/profile_file.hpp"
#include "engine/train/node_timing.hpp"
#include "tools/pd_engine/commands.hpp"
#include "tools/pd_engine/link_probe.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace pd {

namespace {

struct profile_arguments {
  job_arguments which;
  std::string output;
  std::string cluster;
  int repeats = timing_options{}.repeats;
  int warmups = timing_options{}.warmups;
  bool measures_link = false;
  bool is_json = false;
};

// -- nodes -------------------------------------------------------------------

/// What all nodes come to, in microseconds.
struct totals {
  double forward = 0, backward = 0, update = 0;

  explicit totals(const profile& of) {
    for (const auto& each : of.nodes) {
      forward += each.forward.us;
      backward += backward_us(each);
      update += each.update.us;
    }
  }
  [[nodiscard]] double all() const { return forward + backward + update; }
};

/// On a terminal, how far the measuring is.
void show_step(int done, int all) {
  if (::isatty(STDERR_FILENO) == 0)
    return;
  fmt::print(stderr, "\rmeasuring: step {} of {} ", done + 1, all);
  if (done + 1 == all)
    fmt::print(stderr, "\r\033[K");
}

void print_json(const timed_network& found, const std::string& path) {
  const totals sum{found.nodes};
  fmt::print(
    "{}\n", nlohmann::ordered_json{{"profile", path},
                                   {"network", found.nodes.network},
                                   {"device", found.nodes.device},
                                   {"minibatch", found.nodes.minibatch},
                                   {"nodes", found.nodes.nodes.size()},
                                   {"forward_us", sum.forward},
                                   {"backward_us", sum.backward},
                                   {"update_us", sum.update},
                                   {"nodes_us", sum.all()},
                                   {"step_us", found.step.us},
                                   {"step_spread_us", found.step.spread_us},
                                   {"nodes_to_step", sum.all() / found.step.us}}
              .dump());
}

void print_text(const timed_network& found, const std::string& path) {
  const totals sum{found.nodes};
  fmt::print("{}: {} nodes, {} samples a minibatch, {}\n", found.nodes.network,
             found.nodes.nodes.size(), found.nodes.minibatch,
             found.nodes.device);
  fmt::print("forward {:.3f} ms, backward {:.3f} ms, update {:.3f} ms\n",
             sum.forward * 1e-3, sum.backward * 1e-3, sum.update * 1e-3);
  fmt::print("all nodes {:.3f} ms, a whole step {:.3f} ms (spread {:.3f}): "
             "ratio {:.3f}\n",
             sum.all() * 1e-3, found.step.us * 1e-3,
             found.step.spread_us * 1e-3, sum.all() / found.step.us);
  fmt::print("written to {}\n", path);
}

result<void> profile_nodes(const profile_arguments& given,
                           const registry& ops) {
  if (given.which.path.empty() || given.output.empty())
    return error{errc::bad_value,
                 "profile: wanted JOB and -o PROFILE, or --link"};
  PD_TRY(const auto what, load_job(given.which.path, given.which.overrides));
  PD_TRY(const auto found, time_network(what, ops,
                                        {.repeats = given.repeats,
                                         .warmups = given.warmups,
                                         .on_step = show_step}));
  PD_CHECK(write_profile(found.nodes, given.output));
  given.is_json ? print_json(found, given.output)
                : print_text(found, given.output);
  return {};
}

// -- links -------------------------------------------------------------------

nlohmann::ordered_json to_json(const std::vector<probed_link>& from) {
  nlohmann::ordered_json made{{"format", "pd-engine links"}};
  for (const auto& each : from)
    made[each.transport] = {
      {"latency_s", each.figures.latency_s},
      {"bandwidth_bytes_per_s", each.figures.bandwidth_bytes_per_s}};
  return made;
}

void print_links(const std::vector<probed_link>& all) {
  for (const auto& each : all)
    fmt::print("{:<5}  latency {:>8.1f} us  bandwidth {:>8.3f} GB/s\n",
               each.transport, each.figures.latency_s * 1e6,
               each.figures.bandwidth_bytes_per_s * 1e-9);
}

nlohmann::ordered_json to_json(const std::vector<probed_level>& from) {
  nlohmann::ordered_json made{{"format", "pd-engine links"}};
  for (const auto& each : from)
    made["levels"].push_back(
      {{"level", each.level},
       {"to_worker", each.to_worker},
       {"latency_s", each.figures.latency_s},
       {"bandwidth_bytes_per_s", each.figures.bandwidth_bytes_per_s}});
  return made;
}

void print_links(const std::vector<probed_level>& all) {
  for (const auto& each : all)
    fmt::print(
      "worker 0 to {:<4} latency {:>8.1f} us  bandwidth {:>10.6f} GB/s\n",
      each.to_worker, each.figures.latency_s * 1e6,
      each.figures.bandwidth_bytes_per_s * 1e-9);
}

template <class Links>
result<void> tell(const Links& found, const profile_arguments& given) {
  const auto json = to_json(found);
  if (given.is_json)
    pd::print_json(json);
  else
    print_links(found);
  return given.output.empty() ? result<void>{}
                              : write_file(given.output, json.dump() + "\n");
}

result<void> profile_links(const profile_arguments& given) {
  if (!given.which.path.empty())
    return error{errc::bad_value, "profile --link: takes no JOB, got '"
                                    + given.which.path + "'"};
  if (given.cluster.empty()) {
    PD_TRY(const auto found, probe_links());
    return tell(found, given);
  }
  PD_TRY(const auto on, load_cluster(given.cluster));
  PD_TRY(const auto found, probe_levels(on.machines));
  return tell(found, given);
}

} // namespace

void add_profile(CLI::App& app, command_context& context) {
  const auto given = std::make_shared<profile_arguments>();
  app.add_option("JOB", given->which.path, "a job file, as those in graphs/");
  app
    .add_option("--set", given->which.overrides,
                "section.key=value: instead of what the file says")
    ->allow_extra_args(false);
  app.add_option("-o,--output", given->output, "the file to write");
  app.add_option("--repeats", given->repeats, "steps that count")
    ->check(CLI::Range(1, 100000))
    ->capture_default_str();
  app.add_option("--warmups", given->warmups, "steps before that")
    ->check(CLI::Range(0, 100000))
    ->capture_default_str();
  auto* const link =
    app.add_flag("--link", given->measures_link,
                 "measure latency and bandwidth between two workers instead");
  app
    .add_option("--cluster", given->cluster,
                "with --link: between the workers of this cluster file, a "
                "figure for each level")
    ->needs(link)
    ->check(CLI::ExistingFile);
  app.add_flag("--json", given->is_json, "print one JSON object");
  app.callback([given, &context] {
    const auto done = given->measures_link ? profile_links(*given)
                                           : profile_nodes(*given, context.ops);
    if (!done)
      fail(context, done.failure());
  });
}

} // namespace pd
