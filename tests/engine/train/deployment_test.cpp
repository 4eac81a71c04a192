#include "engine/train/deployment.hpp"

#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "engine/train/worker_parts.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace pd;

namespace {

const std::string lenet = R"(
[model]
name = "lenet"
classes = 10
image = [28, 28, 1]
[data]
dataset = "synthetic"
microbatch = 8
[train]
max_microbatches = 16
evaluate = "never"
)";

job read(const std::string& text) {
  const auto made = parse_job(lenet + text, "x.toml");
  if (!made)
    FAIL(made.failure().message);
  return *made;
}

result<deployment> deployed(const std::string& text) {
  return deploy(read(text), {.training = 800}, all_ops());
}

std::string failure_of(const std::string& text) {
  const auto made = deployed(text);
  return made ? "" : made.failure().message;
}

std::vector<double> losses(const std::string& text) {
  auto with = open_session(read(text), all_ops());
  if (!with)
    FAIL(with.failure().message);
  std::vector<double> found;
  const std::atomic<bool> never{false};
  const auto done = with->loop->run(
    {[&](const update_metrics& at, const train_progress&) -> result<void> {
       found.push_back(at.loss);
       return {};
     },
     [](const train_progress&) {},
     [](const evaluation_metrics&) -> result<void> { return {}; }},
    never);
  if (!done)
    FAIL(done.failure().message);
  return found;
}

const std::string three_stages = "[[stage]]\nuntil = 'pool1'\n"
                                 "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";

} // namespace

TEST_CASE("a stage that ends nowhere is refused with the nearest name",
          "[train][deployment]") {
  CHECK(failure_of("[[stage]]\nuntil = 'pool9'\n[[stage]]\n")
          .starts_with("stage 0: until = 'pool9': no such node or block in "));
  CHECK(
    failure_of("[[stage]]\nuntil = 'fc1'\n[[stage]]\nuntil = 'pool1'\n")
      .starts_with("stage 1: until = 'pool1': ends before stage 0 does, or"));
  CHECK(failure_of("[[stage]]\n[[stage]]\n")
          .starts_with("stage 0: until = '': wanted a node or block"));
}

TEST_CASE("a depth that no schedule can run with is refused",
          "[train][deployment]") {
  CHECK(failure_of(three_stages
                   + "[schedule]\nname = 'gpipe'\nmicrobatches = 8\n"
                     "depth = [1, 1, 1]\n")
          .find("depth")
        != std::string::npos);
}

TEST_CASE("an epoch fills whole rounds on stages of unlike replication",
          "[train][deployment]") {
  const auto made =
    deployed("[[stage]]\nuntil = 'pool1'\nreplicas = 3\n"
             "[[stage]]\nuntil = 'fc1'\nreplicas = 2\n[[stage]]\n");
  REQUIRE(made);
  CHECK(made->training->microbatches == 12); // of 16
  CHECK(made->where().workers() == 6);
}

TEST_CASE("a flushing pipeline trains to the losses of one worker",
          "[train][deployment]") {
  const std::string round = "[schedule]\nname = 'gpipe'\nmicrobatches = 8\n"
                            "[run]\nthreads_per_worker = 1\n";
  CHECK(losses(three_stages + round) == losses(round));
}

TEST_CASE("replicas have the same buckets, as small as the job wants them",
          "[train][deployment]") {
  const auto buckets = [](const std::string& run) {
    const auto made =
      deployed("[[stage]]\nuntil = 'pool1'\n[[stage]]\nreplicas = 2\n" + run);
    REQUIRE(made);
    std::vector<std::size_t> counts;
    for (int w = 0; w < 3; ++w) {
      const auto worker = make_worker(*made, w, all_ops());
      REQUIRE(worker);
      counts.push_back(worker->chunks(*made, w)[0].buckets.size());
    }
    return counts;
  };
  CHECK(buckets("") == std::vector<std::size_t>{1, 1, 1});
  CHECK(buckets("[run]\nbucket_bytes = 4\n")
        == std::vector<std::size_t>{1, 4, 4}); // conv1; conv2, fc1 to fc3
}

TEST_CASE("a timetable from a file is run, and refused for another job",
          "[train][deployment]") {
  const auto path = std::filesystem::temp_directory_path()
                    / ("pd-" + std::to_string(getpid()) + ".timetable");
  const auto made = deployed(three_stages);
  REQUIRE(made);
  std::ofstream{path} << to_string(*made->training);
  const auto key = "[schedule]\nfile = '" + path.string() + "'\n";
  CHECK(failure_of(three_stages + key).empty());
  CHECK(failure_of(key).find("it is for stages of 1-1-1 replicas")
        != std::string::npos);
  std::ofstream{path} << "schedule pipedream\nreplicas 1 1 1\nnonsense\n";
  CHECK(failure_of(three_stages + key).starts_with(path.string() + ": "));
  std::filesystem::remove(path);
}

TEST_CASE("an interleaved timetable from a file is run, if the job has its "
          "chunks",
          "[train][deployment]") {
  const auto path = std::filesystem::temp_directory_path()
                    / ("pd-chunks-" + std::to_string(getpid()) + ".timetable");
  const std::string stages =
    "[[stage]]\nuntil = 'pool1'\n[[stage]]\nuntil = 'pool2'\n"
    "[[stage]]\nuntil = 'fc1'\n[[stage]]\n[schedule]\n";
  const auto made =
    deployed(stages + "name = 'interleaved'\nmicrobatches = 4\nchunks = 2\n");
  REQUIRE(made);
  std::ofstream{path} << to_string(*made->training);
  const auto key = "file = '" + path.string() + "'\n";
  const auto own = deployed(stages + key + "chunks = 2\n");
  INFO((own ? "" : own.failure().message));
  REQUIRE(own);
  CHECK(*own->training == *made->training);
  CHECK(failure_of(stages + key)
        == path.string()
             + ": its workers have 2 chunks; wanted schedule.chunks = 2, got "
               "1");
  std::filesystem::remove(path);
}

TEST_CASE("the norm that clips is joint where stages share their rounds, and "
          "refused where they do not",
          "[train][deployment]") {
  const auto clipped = [](const std::string& text) {
    auto what = read(text);
    what.train.clip_norm = 1;
    return deploy(what, {.training = 800}, all_ops());
  };
  for (const auto* schedule :
       {"gpipe", "1f1b", "pipedream-2bw", "zero-bubble", "zero-bubble-2p"}) {
    const auto made =
      clipped(three_stages + "[schedule]\nmicrobatches = 4\nname = '" + schedule
              + "'\n");
    REQUIRE(made);
    CHECK(made->training->joint_updates);
  }
  const auto one = clipped("");
  REQUIRE(one);
  CHECK_FALSE(one->training->joint_updates);
  CHECK(clipped(three_stages + "[schedule]\nname = 'model-parallel'\n"));
  for (const auto& refused : std::vector<std::string>{
         three_stages,
         "[[stage]]\nuntil = 'fc1'\nreplicas = 2\n[[stage]]\n[schedule]\n"
         "name = 'model-parallel'\n"}) {
    const auto made = clipped(refused);
    REQUIRE(!made);
    CHECK_THAT(made.failure().message,
               Catch::StartsWith("train.clip_norm: the stages of schedule '")
                 && Catch::Contains("have no round in common"));
  }
}

TEST_CASE("what the stages of a pipeline cannot carry out is refused",
          "[train][deployment]") {
  CHECK(failure_of("[[stage]]\nuntil = 'pool1'\n[[stage]]\nuntil = 'pool2'\n"
                   "[[stage]]\nuntil = 'fc1'\nreplicas = 2\n[[stage]]\n"
                   "[schedule]\nname = 'interleaved'\nchunks = 2\n"
                   "microbatches = 4\n")
          .starts_with("stage 2: replicas: wanted 1 as stage 0"));
}

TEST_CASE("a timetable that trains nothing or mixes halves is refused",
          "[train][deployment]") {
  const auto path = std::filesystem::temp_directory_path()
                    / ("pd-mixed-" + std::to_string(getpid()) + ".timetable");
  const auto key = "[schedule]\nfile = '" + path.string() + "'\n";
  std::ofstream{path} << "schedule gpipe\nreplicas 1\nmicrobatches 2\n"
                         "rounds 2\ndepth 2\n"
                         "worker 0: F0 F1 B0 I1 W1 U1\n";
  CHECK(failure_of(key).find("B, and I and W, in one timetable")
        != std::string::npos);
  std::ofstream{path} << "schedule evaluation\nreplicas 1\nmicrobatches 2\n"
                         "rounds 1\ndepth 1\nworker 0: E0 E1\n";
  CHECK(failure_of(key).ends_with("it trains nothing"));
  std::filesystem::remove(path);
}

TEST_CASE("no graph can share a parameter, so no cut can break one",
          "[train][deployment]") {
  // A parameter is called by its node, and a node's name stands once (infer
  // refuses parameters of one name all the same).
  const auto path = std::filesystem::temp_directory_path()
                    / ("pd-shared-" + std::to_string(getpid()) + ".toml");
  const auto refusal_of = [&](const std::string& second) {
    std::ofstream{path} << "[[node]]\nname = 'flat'\nop = 'flatten'\n"
                           "[[node]]\nname = 'fc1'\nop = 'linear'\n"
                           "out_features = 784\n[[node]]\n"
                        << second << "op = 'linear'\nout_features = 784\n";
    auto what = read("[[stage]]\nuntil = 'fc1'\n[[stage]]\n");
    what.model.name.clear();
    what.model.file = path.string();
    const auto made = deploy(what, {.training = 800}, all_ops());
    return made ? "" : made.failure().message;
  };
  CHECK(refusal_of("name = 'fc2'\n").empty());
  CHECK_THAT(refusal_of("name = 'fc1'\n"),
             Catch::EndsWith("node 'fc1': is there twice"));
  CHECK_THAT(refusal_of("name = 'fc2'\nweight = 'fc1.weight'\n"),
             Catch::Contains("node 'fc2'") && Catch::Contains("'weight'"));
  std::filesystem::remove(path);
}

TEST_CASE("every job in graphs is cut and has a valid timetable",
          "[train][deployment]") {
  namespace fs = std::filesystem;
  const std::vector<std::string> part_of_an_epoch{"train.max_microbatches=48"};
  int jobs = 0;
  for (const auto& each :
       fs::directory_iterator{fs::path{PD_SOURCE_DIR} / "graphs"}) {
    if (each.path().extension() != ".toml")
      continue;
    INFO(each.path());
    const auto what = load_job(each.path().string(), part_of_an_epoch);
    REQUIRE(what);
    const auto all =
      deploy(*what, {.training = 60000, .evaluation = 10000}, all_ops());
    INFO((all ? "" : all.failure().message));
    REQUIRE(all);
    auto names = weight_names(all->stages);
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    ++jobs;
  }
  CHECK(jobs >= 20);
}
