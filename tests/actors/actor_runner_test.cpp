/// Theorem 3 of docs/semantics.md: the actors give the oracle's bits, whoever
/// is late.

#include "actors/actor_runner.hpp"

#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "tests/actors/random_delays.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace pd;

namespace {

const std::string base = R"(
[model]
name = "lenet"
classes = 10
image = [12, 12, 1]
[data]
dataset = "synthetic"
samples = 256
microbatch = 4
[train]
epochs = 2
max_microbatches = 24
[run]
threads_per_worker = 1
)";

const std::string three_stages = "[[stage]]\nuntil = 'pool1'\n"
                                 "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";
const std::string four_stages = "[[stage]]\nuntil = 'pool1'\n"
                                "[[stage]]\nuntil = 'pool2'\n"
                                "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";
const std::string hybrid = "[[stage]]\nuntil = 'pool1'\nreplicas = 2\n"
                           "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";
const std::string uneven = "[[stage]]\nuntil = 'pool1'\n"
                           "[[stage]]\nuntil = 'fc1'\nreplicas = 3\n"
                           "[[stage]]\n";

job read(const std::string& text) {
  const auto made = parse_job(base + text, "x.toml");
  if (!made)
    FAIL(made.failure().message);
  return *made;
}

std::string rounds(const std::string& name) {
  return "[schedule]\nname = '" + name + "'\nmicrobatches = 12\n";
}

const std::string worker_program = PD_BINARY_DIR "/bin/pd-engine";

/// This program, as a worker whose actors are late (late_worker_test.cpp).
std::vector<std::string> late_worker(std::uint64_t seed) {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").string();
  return {"/bin/sh", "-c",
          "PD_TEST_DELAYS=" + std::to_string(seed) + " exec '" + here
            + "' '[.late_worker]' -o /dev/null"};
}

job on_small_network(const std::vector<int>& replicas,
                     const std::string& schedule) {
  auto made = small_job(small_stages(replicas));
  made.schedule.name = schedule;
  made.schedule.microbatches = schedule == "pipedream" ? 1 : 12;
  made.schedule.chunks = schedule == "interleaved" ? 2 : 1;
  return made;
}

/// Skip edges, and replicas under the schedules that hand over in their own
/// ways: in halves, two versions, chunks, rounds of unlike size.
std::vector<job> jobs_with_skips() {
  std::vector<job> made{on_small_network({1, 1, 1, 1}, "pipedream")};
  for (const auto* schedule : {"zero-bubble", "pipedream-2bw"})
    for (const auto& replicas : {std::vector{2, 1}, {1, 2}})
      made.push_back(on_small_network(replicas, schedule));
  made.push_back(on_small_network({2, 2, 2, 2}, "interleaved"));
  for (const auto& replicas : {std::vector{4, 3, 1}, {1, 3, 1}})
    made.push_back(on_small_network(replicas, "pipedream"));
  for (const auto& [schedule, replicas] :
       std::vector<std::pair<std::string, std::vector<int>>>{
         {"1f1b", {2, 1, 3}},
         {"pipedream-2bw", {1, 2}},
         {"interleaved", {2, 2}}}) {
    made.push_back(on_small_network(
      schedule == "interleaved" ? std::vector{2, 2, 2, 2} : replicas,
      schedule));
    made.back().train.clip_norm = 0.5;
  }
  for (const auto* schedule : {"pipedream", "zero-bubble"}) {
    made.push_back(on_small_network({2, 1, 1}, schedule));
    for (auto& each : made.back().stages)
      each.recompute = true;
  }
  return made;
}

/// A network whose first stage has an auxiliary head, and so reads labels.
job with_head(const std::string& text) {
  auto made = read(text);
  made.model.name = "";
  made.model.file = PD_SOURCE_DIR "/tests/actors/auxiliary_head.toml";
  return made;
}

const std::string head_stages = "[[stage]]\nuntil = 'head'\n"
                                "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";

const std::vector<job>& all_jobs() {
  static const std::vector<job> jobs = [] {
    auto made = jobs_with_skips();
    for (const auto& each : std::vector<std::string>{
           "", "[[stage]]\nreplicas = 2\n", three_stages, hybrid, uneven,
           three_stages + "[schedule]\nname = 'model-parallel'\n",
           three_stages + "[schedule]\nvertical_sync = true\n",
           hybrid + rounds("gpipe"), hybrid + rounds("1f1b"),
           three_stages + rounds("pipedream-2bw"),
           three_stages + rounds("zero-bubble"),
           three_stages + rounds("zero-bubble-2p"),
           four_stages + rounds("interleaved") + "chunks = 2\n"})
      made.push_back(read(each));
    for (const auto* schedule : {"", "[schedule]\nname = 'zero-bubble'\n"
                                     "microbatches = 4\n"})
      made.push_back(with_head(head_stages + schedule));
    return made;
  }();
  return jobs;
}

/// Nobody listens, nobody stops it.
result<train_summary> run_to_its_end(session& of) {
  const std::atomic<bool> never{false};
  return of.loop->run(
    {[](const update_metrics&, const train_progress&) -> result<void> {
       return {};
     },
     [](const train_progress&) {},
     [](const evaluation_metrics&) -> result<void> { return {}; }},
    never);
}

outcome in_processes(job what, const std::vector<std::string>& command) {
  what.run.workers = "processes";
  return outcome_of(what, actor_runner::with({command}));
}

} // namespace

TEST_CASE("actors give the oracle's bits under every schedule", "[actors]") {
  for (const auto& each : all_jobs()) {
    INFO(describe(each));
    const auto got = outcome_of(each, actor_runner::make);
    const auto wanted = outcome_of(each);
    CHECK(got.losses == wanted.losses);
    CHECK(got.evaluations == wanted.evaluations);
    CHECK(got.weights == wanted.weights);
  }
}

TEST_CASE("actors give the oracle's bits however late they are",
          "[actors][slow]") {
  std::uint64_t seed = 0;
  for (const auto& each : all_jobs()) {
    const auto wanted = outcome_of(each);
    for (int i = 0; i < 10; ++i) { // 260 runs
      INFO(describe(each) << "\nseed " << seed);
      const random_delays late{seed++};
      CHECK(outcome_of(each, actor_runner::make) == wanted);
    }
  }
}

TEST_CASE("processes give the oracle's bits under every schedule",
          "[actors][processes]") {
  for (const auto& each : all_jobs()) {
    INFO(describe(each));
    CHECK(in_processes(each, {worker_program, "worker"}) == outcome_of(each));
  }
}

TEST_CASE("processes give the oracle's bits however late their actors and "
          "links are",
          "[actors][processes][slow]") {
  std::uint64_t seed = 0;
  for (const auto& each : all_jobs()) {
    const auto wanted = outcome_of(each);
    for (int i = 0; i < 3; ++i) { // 78 runs
      INFO(describe(each) << "\nseed " << seed);
      const random_delays late{seed};
      CHECK(in_processes(each, late_worker(seed)) == wanted);
      ++seed;
    }
  }
}

TEST_CASE("an auxiliary head in the first stage trains as on one worker, and "
          "counts",
          "[actors]") {
  const auto rounds_of_two =
    std::string{"[schedule]\nname = '1f1b'\nmicrobatches = 2\n"};
  const auto alone = outcome_of(with_head(rounds_of_two));
  CHECK(outcome_of(with_head(head_stages + rounds_of_two), actor_runner::make)
        == alone);
  const auto first_weights = [](const outcome& of) {
    return of.weights.at("conv1.weight");
  };
  auto with_other_cut =
    with_head("[[stage]]\nuntil = 'head.conv'\n[[stage]]\n" + rounds_of_two);
  CHECK(outcome_of(with_other_cut, actor_runner::make) == alone);
  const auto fresh = with_head(rounds_of_two + "[optimizer]\nlr = 0\n");
  CHECK(outcome_of(fresh).weights.at("head.fc.weight")
        != alone.weights.at("head.fc.weight"));
  CHECK(first_weights(outcome_of(fresh)) != first_weights(alone));
}

TEST_CASE("a stopped pass ends after whole rounds", "[actors]") {
  auto with = open_session(read(hybrid), all_ops(), actor_runner::make);
  if (!with)
    FAIL(with.failure().message);
  std::atomic<bool> stop{false};
  std::int64_t updates = 0;
  const auto done = with->loop->run(
    {[&](const update_metrics&, const train_progress&) -> result<void> {
       if (++updates == 3)
         stop = true;
       return {};
     },
     [](const train_progress&) {},
     [](const evaluation_metrics&) -> result<void> { return {}; }},
    stop);
  REQUIRE(done);
  CHECK(done->was_interrupted);
  CHECK(done->samples % 8 == 0); // two replicas of 4 samples
  CHECK(done->samples >= 12);
  CHECK(done->samples < 192); // of two epochs
}

TEST_CASE("a sample that cannot be read ends the run and names its worker",
          "[actors]") {
  class broken_dataset final : public dataset {
  public:
    broken_dataset() : dataset{{"broken", 256, 10, {12, 12, 1}}} {}
    result<void> read(sample_at, std::span<float>) const override {
      return error{errc::bad_file, "images.gz: offset 17: cut short"};
    }
    [[nodiscard]] std::int32_t label(std::int64_t) const override { return 0; }
  };
  const broken_dataset broken;
  auto with = open_session(
    read(hybrid), all_ops(),
    [&](std::shared_ptr<const deployment> of, const registry& ops,
        const dataset*, const dataset* evaluation) {
      return actor_runner::make(std::move(of), ops, &broken, evaluation);
    });
  REQUIRE(with);
  const auto done = run_to_its_end(*with);
  REQUIRE(!done);
  CHECK_THAT(done.failure().message,
             Catch::Contains("(stage 0, replica ")
               && Catch::Contains("data loader, reads microbatch ")
               && Catch::Contains("images.gz: offset 17: cut short"));
}

TEST_CASE("a fault in an actor ends the run with its text and its worker",
          "[actors]") {
  auto with = open_session(read(hybrid), all_ops(), actor_runner::make);
  REQUIRE(with);
  static std::atomic<int> messages{0};
  messages = 0;
  before_each_message = [] {
    if (++messages == 40)
      throw engine_fault{"the device fell off the bus"};
  };
  const auto done = run_to_its_end(*with);
  before_each_message = nullptr;
  REQUIRE(!done);
  CHECK_THAT(done.failure().message,
             Catch::Contains("the device fell off the bus"));
}

TEST_CASE("an error of the caller ends the run", "[actors]") {
  auto with = open_session(read(three_stages), all_ops(), actor_runner::make);
  REQUIRE(with);
  const std::atomic<bool> never{false};
  const auto done = with->loop->run(
    {[&](const update_metrics&, const train_progress&) -> result<void> {
       return error{errc::io, "no room"};
     },
     [](const train_progress&) {},
     [](const evaluation_metrics&) -> result<void> { return {}; }},
    never);
  REQUIRE(!done);
  CHECK(done.failure().message == "no room");
}
