/// Jobs whose workers are processes, as a person runs and kills them.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

using namespace pd::test;
using namespace std::chrono_literals;

namespace {

/// Two replicas and two more stages: four workers. Without an end of its own.
std::string job(const std::string& workers, int epochs) {
  return "name = 'small'\n[model]\nname = 'lenet'\nimage = [28, 28, 1]\n"
         "[data]\ndataset = 'synthetic'\nsamples = 640\nmicrobatch = 16\n"
         "[train]\nprint_every = 1\nevaluate = 'never'\nepochs = "
         + std::to_string(epochs) + "\n[run]\nworkers = '" + workers
         + "'\n[[stage]]\nuntil = 'pool1'\nreplicas = 2\n"
           "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";
}

/// Whose first stage has an auxiliary head, and so reads labels.
std::string job_with_head(const std::string& workers) {
  return "[model]\nfile = '" PD_SOURCE_DIR
         "/tests/actors/auxiliary_head.toml'\nclasses = 10\n"
         "image = [28, 28, 1]\n[data]\ndataset = 'synthetic'\n"
         "samples = 160\nmicrobatch = 16\n[train]\nevaluate = 'epoch'\n"
         "[run]\nworkers = '"
         + workers + "'\n[[stage]]\nuntil = 'head'\n[[stage]]\n";
}

constexpr int endless = 1'000'000;

/// A file that the one run in a folder left.
std::string left_in(const std::string& runs, const std::string& file) {
  for (const auto& each : std::filesystem::directory_iterator{runs})
    return read(each.path() / file);
  return "";
}

std::string weights_in(const std::string& runs) {
  return left_in(runs, "weights.safetensors");
}

} // namespace

TEST_CASE("processes leave the weights that threads leave, bit for bit, and a "
          "log each",
          "[end_to_end][processes]") {
  const scratch_folder here;
  for (const auto* workers : {"threads", "processes"}) {
    const auto done = run(here, {"run", here.write("job.toml", job(workers, 1)),
                                 "--runs", here / workers});
    INFO(done.err);
    REQUIRE(done.status == 0);
  }
  const auto weights = weights_in(here / "processes");
  CHECK(!weights.empty());
  CHECK(weights == weights_in(here / "threads"));
  for (const auto& each :
       std::filesystem::directory_iterator{here / "processes"})
    for (const auto* log : {"worker-0.log", "worker-3.log"})
      CHECK(std::filesystem::exists(each.path() / log));
}

TEST_CASE("processes train an auxiliary head as threads do, bit for bit",
          "[end_to_end][processes]") {
  const scratch_folder here;
  for (const auto* workers : {"threads", "processes"}) {
    const auto done =
      run(here, {"run", here.write("job.toml", job_with_head(workers)),
                 "--runs", here / workers});
    INFO(done.err);
    REQUIRE(done.status == 0);
  }
  const auto weights = weights_in(here / "processes");
  CHECK(weights.find("head.fc.weight") != std::string::npos);
  CHECK(weights == weights_in(here / "threads"));
}

TEST_CASE("a trace has the actions of every worker",
          "[end_to_end][processes]") {
  const scratch_folder here;
  REQUIRE(run(here, {"run", here.write("job.toml", job("processes", 1)),
                     "--runs", here / "runs", "--trace"})
            .status
          == 0);
  const auto trace =
    nlohmann::json::parse(left_in(here / "runs", "trace.json"));
  std::map<int, int> updates; // by worker
  for (const auto& each : trace["traceEvents"]) {
    if (each.value("cat", "") == "update")
      ++updates[each["tid"]];
    CHECK(each.value("dur", 0) >= 0);
  }
  // 40 microbatches; an update of the two replicas takes two.
  CHECK(updates == std::map<int, int>{{0, 20}, {1, 20}, {2, 40}, {3, 40}});
}

TEST_CASE(
  "a worker that is killed ends the job within 3 s, and the error names "
  "it, its stage, what it did and the signal",
  "[end_to_end][processes]") {
  const scratch_folder here;
  running job_run{here,
                  {"run", here.write("job.toml", job("processes", endless)),
                   "--runs", here / "runs"}};
  REQUIRE(job_run.prints("epoch 1 "));
  const auto workers = job_run.children();
  REQUIRE(workers.size() == 4);
  const auto begin = std::chrono::steady_clock::now();
  kill(workers[2], SIGKILL);
  const auto done = job_run.wait();
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
  CHECK(done.status == 1);
  const auto lines = lines_of(done.err);
  REQUIRE(!lines.empty());
  CHECK_THAT(lines.back(),
             Catch::Matches("pd-engine: error: worker 2 \\(stage 1, replica "
                            "0\\), (runs [FBU]|[FBU][0-9]+ waits).*: killed by "
                            "signal 9 \\(Killed\\)"));
  CHECK(comes_true(2s, [&] { return are_gone(workers); }));
}

TEST_CASE("a program that a test does not wait for is killed, and its workers",
          "[end_to_end][processes]") {
  const scratch_folder here;
  std::vector<pid_t> all;
  {
    const running job_run{here,
                          {"run",
                           here.write("job.toml", job("processes", endless)),
                           "--runs", here / "runs"}};
    REQUIRE(comes_true(1min, [&] { return job_run.children().size() == 4; }));
    all = job_run.children();
    all.push_back(job_run.id());
  }
  CHECK(comes_true(5s, [&] { return are_gone(all); }));
}

TEST_CASE("no worker lives 5 s after its coordinator was killed with -9",
          "[end_to_end][processes]") {
  const scratch_folder here;
  running job_run{here,
                  {"run", here.write("job.toml", job("processes", endless)),
                   "--runs", here / "runs"}};
  REQUIRE(job_run.prints("epoch 1 "));
  const auto workers = job_run.children();
  REQUIRE(workers.size() == 4);
  job_run.signal(SIGKILL);
  CHECK(job_run.wait().status == 128 + SIGKILL);
  CHECK(comes_true(5s, [&] { return are_gone(workers); }));
}

TEST_CASE("Ctrl-C ends a job of processes after whole rounds, with 130 and its "
          "weights",
          "[end_to_end][processes]") {
  const scratch_folder here;
  running job_run{here,
                  {"run", here.write("job.toml", job("processes", endless)),
                   "--runs", here / "runs"}};
  REQUIRE(job_run.prints("epoch 1 "));
  const auto workers = job_run.children();
  job_run.signal(SIGINT);
  const auto done = job_run.wait();
  INFO(done.err);
  CHECK(done.status == 130);
  CHECK(!weights_in(here / "runs").empty());
  CHECK(are_gone(workers));
}

TEST_CASE("a second Ctrl-C ends a job of processes at once, and its workers",
          "[end_to_end][processes]") {
  const scratch_folder here;
  running job_run{here,
                  {"run", here.write("job.toml", job("processes", endless)),
                   "--runs", here / "runs"}};
  REQUIRE(job_run.prints("epoch 1 "));
  const auto workers = job_run.children();
  REQUIRE(!workers.empty());
  kill(workers[0], SIGSTOP); // nothing will drain
  job_run.signal(SIGINT);
  REQUIRE(comes_true(10s, [&] {
    return read(here / "stderr").find("interrupted") != std::string::npos;
  }));
  job_run.signal(SIGINT);
  CHECK(job_run.wait().status == 130);
  kill(workers[0], SIGCONT);
  CHECK(comes_true(5s, [&] { return are_gone(workers); }));
}

TEST_CASE("a worker listens on this machine's own addresses only",
          "[end_to_end][processes]") {
  const scratch_folder here;
  const auto done = run(here, {"worker", "--listen", "0.0.0.0:0"});
  CHECK(done.status == 2);
  CHECK_THAT(done.err, Catch::Contains("wanted an address of this machine "
                                       "alone, as 127.0.0.1:7400, got "
                                       "'0.0.0.0:0'"));
  const auto wrong = run(here, {"worker", "--listen", "here"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.err, Catch::Contains("--listen: wanted an address and a "
                                        "port, as 127.0.0.1:7400, got 'here'"));
}
