#include "tests/support/deployed_pipeline.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/job/graph_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/worker_parts.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace pd {

namespace {

template <class T>
T value_of(result<T> from) {
  if (!from)
    FAIL(from.failure().message);
  return std::move(*from);
}

/// The small network as a graph file, as long as the program runs.
class network_file {
public:
  network_file()
    : path_{std::filesystem::temp_directory_path()
            / ("pd-small-" + std::to_string(getpid()) + ".toml")} {
    std::ofstream{path_} << print_graph(small_network());
  }
  network_file(const network_file&) = delete;
  network_file& operator=(const network_file&) = delete;
  ~network_file() {
    std::error_code is_of_no_use;
    std::filesystem::remove(path_, is_of_no_use);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

} // namespace

job small_job(const std::string& more,
              const std::vector<std::string>& overrides) {
  static const network_file file;
  return value_of(parse_job("[model]\nfile = '" + file.path()
                              + "'\nclasses = 10\nimage = [12, 12, 3]\n"
                                "[data]\ndataset = 'synthetic'\nsamples = 99\n"
                                "microbatch = "
                              + std::to_string(small_samples)
                              + "\n[run]\nthreads_per_worker = 1\n" + more,
                            "small.toml", overrides));
}

std::shared_ptr<const deployment> deployed_lenet(const std::string& stages) {
  const auto what =
    value_of(parse_job("[model]\nname = 'lenet'\nimage = [12, 12, 1]\n[data]\n"
                       "dataset = 'synthetic'\nmicrobatch = 4\n[run]\n"
                       "threads_per_worker = 1\n"
                         + stages,
                       "lenet.toml"));
  return std::make_shared<const deployment>(
    value_of(deploy(what, {64, 32}, all_ops())));
}

std::string small_stages(const std::vector<int>& replicas) {
  static const std::vector<std::vector<std::string>> cuts{
    {}, {"relu2"}, {"down.bn", "relu3"}, {"down.bn", "relu2", "relu4"}};
  std::string made;
  for (std::size_t s = 0; s < replicas.size(); ++s) {
    made += "[[stage]]\nreplicas = " + std::to_string(replicas[s]) + "\n";
    if (s + 1 < replicas.size())
      made += "until = '" + cuts.at(replicas.size() - 1)[s] + "'\n";
  }
  return made;
}

deployed_pipeline::deployed_pipeline(const job& what)
  : loader_{std::make_unique<cpu_device>(device_options{.threads = 1})} {
  const auto samples = what.data.samples;
  all = value_of(deploy(
    what,
    {.training = what.train.epochs > 0 ? samples : 0, .evaluation = samples},
    all_ops()));
  std::vector<std::vector<row_runner::chunk_parts>> parts;
  for (int w = 0; w < all.where().workers(); ++w) {
    workers.push_back(value_of(make_worker(all, w, all_ops())));
    parts.push_back(workers.back().chunks(all, w));
  }
  runs_ = std::make_unique<oracle>(parts, all.links);
}

deployed_pipeline::~deployed_pipeline() = default;

void deployed_pipeline::train(std::int64_t epoch) {
  run(all.training, epoch * all.training->microbatches);
}

void deployed_pipeline::evaluate() {
  share_statistics(all, workers);
  run(all.evaluation, 0);
}

void deployed_pipeline::run(const std::shared_ptr<const timetable>& what,
                            std::int64_t first) {
  const auto done = runs_->run(
    {what, first},
    {.load = [&](std::int64_t k) -> result<loaded_batch> {
       auto made = small_batch(*loader_, first + k);
       made.microbatch = k;
       return made;
     },
     .on_loss = [](const loss_figures&) {},
     .on_update = [](int, std::int64_t, double) -> result<void> { return {}; },
     .on_action =
       [&](int worker) {
         if (on_action)
           on_action(worker);
       },
     .runs_ahead = runs_ahead});
  if (!done)
    FAIL(done.failure().message);
}

} // namespace pd
