/// Checkpoints of jobs on actors: what they write, and what becomes of a job
/// that cannot write.

#include "actors/actor_runner.hpp"
#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/job/job_file.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"
#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

using namespace pd;
using pd::test::file_size_limit;
using pd::test::scratch_folder;

namespace {

const std::string settings = "[train]\nepochs = 2\nmax_microbatches = 12\n"
                             "[optimizer]\nlr = 0.01\nmomentum = 0.9\n";

job with_checkpoints(job of, const std::string& directory) {
  of.checkpoint.directory = directory;
  of.checkpoint.every.rounds = 2;
  of.checkpoint.keep = 1000;
  return of;
}

std::vector<job> some_jobs() {
  const auto with = [](const std::string& schedule,
                       const std::vector<int>& replicas) {
    return small_job(
      settings + "[schedule]\nname = '" + schedule + "'\nmicrobatches = "
      + (schedule == "pipedream" ? "1" : "4") + "\n" + small_stages(replicas));
  };
  return {with("pipedream", {2, 1}), with("1f1b", {1, 2, 1}),
          with("pipedream-2bw", {1, 1})};
}

std::string read(const std::filesystem::path& path) {
  const std::ifstream from{path, std::ios::binary};
  std::ostringstream text;
  text << from.rdbuf();
  return text.str();
}

/// By "<checkpoint>/<shard>".
std::map<std::string, std::string> shards_in(const std::string& directory) {
  std::map<std::string, std::string> made;
  for (const auto& each :
       std::filesystem::recursive_directory_iterator{directory})
    if (each.path().extension() == ".safetensors")
      made[std::filesystem::relative(each.path(), directory)] =
        read(each.path());
  return made;
}

runner_maker in_processes() {
  return actor_runner::with(
    {.worker_command = {PD_BINARY_DIR "/bin/pd-engine", "worker"}});
}

/// Runs a job of which `act` is told every update.
struct watched_run {
  std::vector<saved_checkpoint> saved;
  std::int64_t updates = 0;
  result<train_summary> done{train_summary{}};

  watched_run(const job& what, const std::function<void(std::int64_t)>& act) {
    auto with = open_session(what, all_ops(), actor_runner::make);
    if (!with)
      FAIL(with.failure().message);
    const std::atomic<bool> never{false};
    done = with->loop->run(
      {[&](const update_metrics&, const train_progress&) -> result<void> {
         act(updates++);
         return {};
       },
       [](const train_progress&) {},
       [](const evaluation_metrics&) -> result<void> { return {}; },
       [&](const saved_checkpoint& x) { saved.push_back(x); }},
      never);
  }
};

} // namespace

TEST_CASE("actors in threads write the oracle's shards, byte for byte",
          "[actors][checkpoints]") {
  for (const auto& each : some_jobs()) {
    INFO(describe(each));
    const scratch_folder here;
    const auto wanted = outcome_of(with_checkpoints(each, here / "oracle"));
    const auto got =
      outcome_of(with_checkpoints(each, here / "actors"), actor_runner::make);
    CHECK(got == wanted);
    CHECK(shards_in(here / "actors") == shards_in(here / "oracle"));
  }
}

TEST_CASE("actors in processes write the oracle's shards, and go on from them "
          "with its bits",
          "[actors][processes][checkpoints]") {
  const auto each = some_jobs()[0];
  const scratch_folder here;
  const auto wanted = outcome_of(with_checkpoints(each, here / "oracle"));
  auto in_parts = with_checkpoints(each, here / "actors");
  in_parts.run.workers = "processes";
  CHECK(outcome_of(in_parts, in_processes()) == wanted);
  CHECK(shards_in(here / "actors") == shards_in(here / "oracle"));

  const auto paths = checkpoint_paths(here / "oracle");
  REQUIRE(paths);
  const auto from = checkpoint::open(paths->at(paths->size() / 2));
  REQUIRE(from);
  in_parts.checkpoint.directory = here / "resumed";
  CHECK(outcome_of(in_parts, in_processes(), &*from).weights == wanted.weights);
}

TEST_CASE("a job whose folder of checkpoints is gone trains on and says which "
          "file it could not make",
          "[actors][checkpoints]") {
  const scratch_folder here;
  const auto what = with_checkpoints(some_jobs()[0], here / "kept");
  const watched_run ran{what, [&](std::int64_t update) {
                          if (update == 5)
                            std::filesystem::rename(here / "kept",
                                                    here / "elsewhere");
                        }};
  REQUIRE(ran.done);
  CHECK(ran.updates == 24);
  CHECK(ran.done->checkpoints + ran.done->failed_checkpoints == 6);
  REQUIRE(!ran.saved.back().path);
  CHECK_THAT(ran.saved.back().path.failure().message,
             Catch::StartsWith(here / "kept"));
  CHECK(ran.saved.back().at == checkpoint_position{2, 0});
}

TEST_CASE("a shard that finds no room is no checkpoint and takes none, and "
          "the job trains on and saves the next",
          "[actors][checkpoints]") {
  const scratch_folder here;
  const auto what = with_checkpoints(some_jobs()[0], here / "kept");
  const file_size_limit limit;
  std::vector<saved_checkpoint> saved;
  const watched_run ran{what, [&](std::int64_t update) {
                          if (update == 0)
                            limit.set(1000);
                          if (update == 13) // of the second epoch
                            limit.lift();
                        }};
  limit.lift();
  REQUIRE(ran.done);
  CHECK(ran.updates == 24);
  REQUIRE(!ran.saved[0].path);
  CHECK_THAT(ran.saved[0].path.failure().message,
             Catch::Contains("shard-") && Catch::Contains("File too large"));
  CHECK(ran.saved.back().path);
  const auto listed = list_checkpoints(here / "kept");
  REQUIRE(listed);
  CHECK(std::ssize(*listed) == ran.done->checkpoints);
  for (const auto& each : *listed)
    CHECK(each.state == checkpoint_state::whole);
}
