/// What an action costs besides its arithmetic: a pipeline of stages that do
/// next to nothing (a ReLU of one number), so that what is left is messages,
/// readiness, records and the thread's wake-ups.
///
///     bench_actions                    2 and 64 stages
///     bench_actions --stages 8 --json
///
/// cpu: user and system time of the whole process an action, data loaders and
/// updates included. hop: from a stage to the next, one microbatch in flight.

#include "actors/actor_runner.hpp"
#include "engine/base/clock.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/deployment.hpp"
#include "ops/register.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <numeric>
#include <sys/resource.h>
#include <unistd.h>

using namespace pd;

namespace {

struct one_number final : dataset {
  one_number() : dataset{{"one", std::int64_t{1} << 20, 2, {1, 1, 1}}} {}
  result<void> read(sample_at, std::span<float> image) const override {
    image[0] = 1;
    return {};
  }
  [[nodiscard]] std::int32_t label(std::int64_t) const override { return 0; }
};

/// A file that goes with the program.
struct net_file {
  std::string path = std::filesystem::temp_directory_path()
                     / ("pd-actions-" + std::to_string(getpid()) + ".toml");

  explicit net_file(int stages) {
    std::ofstream to{path};
    to << "[[node]]\nname = 'flat'\nop = 'flatten'\n"
          "[[node]]\nname = 'first'\nop = 'linear'\nout_features = 1\n";
    for (int i = 0; i + 1 < stages; ++i)
      to << "[[node]]\nname = 'r" << i << "'\nop = 'relu'\n";
    to << "[[node]]\nname = 'last'\nop = 'linear'\nout_features = 2\n";
  }
  net_file(const net_file&) = delete;
  net_file& operator=(const net_file&) = delete;
  ~net_file() { std::filesystem::remove(path); }
};

std::string job_text(const std::string& net, int stages,
                     const std::string& schedule, std::int64_t microbatches) {
  auto text =
    fmt::format("name = 'actions'\n[model]\nfile = '{}'\nclasses = 2\n"
                "image = [1, 1, 1]\n[data]\nmicrobatch = 1\nshuffle = false\n"
                "[train]\nmax_microbatches = {}\nevaluate = 'never'\n"
                "[run]\nthreads_per_worker = 1\n[schedule]\nname = '{}'\n",
                net, microbatches, schedule);
  for (int i = 0; i + 1 < stages; ++i)
    text += fmt::format("[[stage]]\nuntil = 'r{}'\n", i);
  return text + "[[stage]]\n";
}

double cpu_s() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec)
           + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct cost {
  double cpu_us = 0;  ///< an action
  double wall_us = 0; ///< an action of all
  double span_us = 0; ///< a microbatch
};

result<cost> measure(int stages, const std::string& schedule,
                     std::int64_t microbatches, const registry& ops) {
  const net_file net{stages};
  const one_number data;
  PD_TRY(const auto what,
         parse_job(job_text(net.path, stages, schedule, microbatches),
                   "actions.toml"));
  PD_TRY(auto plan, deploy(what, {.training = data.size()}, ops));
  const auto all = std::make_shared<const deployment>(std::move(plan));
  PD_TRY(const auto runner, actor_runner::make(all, ops, &data, nullptr));
  const pass_calls calls{
    [](const loss_figures&) -> result<void> { return {}; },
    [](std::int64_t, double) -> result<void> { return {}; }};
  const std::atomic<bool> never{false};
  PD_CHECK(runner->run({.microbatches = microbatches}, calls, never)); // warm
  const auto cpu = cpu_s();
  const auto begin = now_us();
  PD_CHECK(
    runner->run({.epoch = 1, .microbatches = microbatches}, calls, never));
  const auto wall = static_cast<double>(now_us() - begin);
  const auto actions = std::accumulate(
    all->training->rows.begin(), all->training->rows.end(), std::size_t{0},
    [](std::size_t sum, const row& each) { return sum + each.size(); });
  return cost{1e6 * (cpu_s() - cpu) / static_cast<double>(actions),
              wall / static_cast<double>(actions),
              wall / static_cast<double>(microbatches)};
}

result<void> report(int stages, std::int64_t microbatches, bool is_json,
                    const registry& ops) {
  PD_TRY(const auto busy, measure(stages, "pipedream", microbatches, ops));
  PD_TRY(const auto alone,
         measure(stages, "model-parallel", microbatches / 8, ops));
  const double hops = 2.0 * std::max(1, stages - 1);
  if (is_json)
    fmt::print("{{\"stages\": {}, \"cpu_us_per_action\": {:.3f}, "
               "\"wall_us_per_action\": {:.3f}, \"hop_us\": {:.3f}}}\n",
               stages, busy.cpu_us, busy.wall_us, alone.span_us / hops);
  else
    fmt::print("{:3} stages: {:5.2f} us of CPU time an action, {:5.2f} us of "
               "wall time; a hop takes {:6.1f} us\n",
               stages, busy.cpu_us, busy.wall_us, alone.span_us / hops);
  return {};
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"bench_actions: what an action costs besides its arithmetic"};
  std::vector<int> stages{2, 64};
  std::int64_t microbatches = 4000;
  bool is_json = false;
  app.add_option("--stages", stages, "how many; several are measured in turn");
  app.add_option("--microbatches", microbatches);
  app.add_flag("--json", is_json);
  CLI11_PARSE(app, argc, argv);
  registry ops;
  register_ops(ops);
  for (const int each : stages)
    if (const auto done = report(each, microbatches, is_json, ops); !done) {
      fmt::print(stderr, "bench_actions: error: {}\n", done.failure().message);
      return 1;
    }
}
