/// How long planning takes, on PipeDream's profiles: bench_plan [FOLDER].
///
/// FOLDER: of the profiles (image_classification/vgg16/batch128/graph.txt ...).
/// Prints the rows of docs/planning-reference.md's table.

#include "engine/job/toml_file.hpp"
#include "engine/planner/partition.hpp"
#include "engine/planner/pipedream_profile.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>

namespace {

using namespace std::string_literals;

struct plan_case {
  std::string name;
  std::string file;
  std::vector<std::int64_t> machines;
  std::vector<double> bandwidths;
  double wanted_s;
  int runs;
};

const std::string images = "/image_classification/";
const std::string vgg16 = images + "vgg16/batch128/graph.txt";
const std::string gnmt_16 = "/translation/gnmt_large/batch128/graph.txt";

const std::vector<plan_case> cases{
  {"VGG-16", vgg16, {16}, {1e9}, 0.01, 20},
  {"ResNet-50", images + "resnet50/batch128/graph.txt", {16}, {1e9}, 0.2, 10},
  {"GNMT-16", gnmt_16, {16}, {1e9}, 2, 3},
  {"GNMT-16", gnmt_16, {4, 4}, {1e10, 1e9}, 60, 3},
  {"VGG-16", vgg16, {1024}, {1e9}, 10, 3},
};

/// The least of several runs, in seconds; sets the cuts.
double time_plan(const pd::profile& of, const plan_case& what,
                 pd::cost_model model, int& cuts) {
  const auto on = *pd::uniform_cluster(what.machines, what.bandwidths);
  pd::partition_options options;
  options.model = model;
  double least = 1e9;
  for (int i = 0; i < what.runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto made = pd::find_partition(of, on, options);
    const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
    least = std::min(least, took.count());
    cuts = made ? made->cuts : -1;
  }
  return least;
}

pd::result<void> run(const plan_case& what, const std::string& folder) {
  const auto path = folder + what.file;
  PD_TRY(const auto text, pd::read_text_file(path));
  PD_TRY(const auto of, pd::parse_pipedream_graph(text, path));
  int cuts = 0;
  const double published = time_plan(of, what, pd::cost_model::pipedream, cuts);
  const double ours = time_plan(of, what, pd::cost_model::engine, cuts);
  std::string machines;
  for (const auto each : what.machines)
    machines += (machines.empty() ? "" : "x") + std::to_string(each);
  fmt::print("| {} | {} | {} | {:.4g} s | {:.4g} s | {} s |\n", what.name,
             machines, cuts, published, ours, what.wanted_s);
  return {};
}

} // namespace

int main(int argc, char** argv) {
  const auto folder =
    argc > 1 ? std::string{argv[1]} : "../shared/data/pipedream/profiles"s;
  for (const auto& each : cases)
    if (const auto done = run(each, folder); !done) {
      std::fprintf(stderr, "bench_plan: %s\n", done.failure().message.c_str());
      return 2;
    }
  return 0;
}
