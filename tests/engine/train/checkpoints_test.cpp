/// A job that stops and goes on: from its own checkpoints, and from those of a
/// job that is cut, replicated and scheduled otherwise.

#include "engine/train/checkpoints.hpp"

#include "engine/checkpoint/checkpoint_list.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/worker_parts.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"
#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace pd;
using pd::test::scratch_folder;

namespace {

const std::string two_epochs = "[train]\nepochs = 2\nmax_microbatches = 12\n"
                               "[optimizer]\nlr = 0.01\n";
const std::string with_momentum = "momentum = 0.9\n";
const std::string with_policy =
  "policy = 'cosine'\nwarmup_epochs = 0.5\nname = 'adam'\n";

std::string schedule(const std::string& name, int microbatches) {
  return "[schedule]\nname = '" + name
         + "'\nmicrobatches = " + std::to_string(microbatches) + "\n";
}

/// Checkpoints after each `every` rounds, all of them kept.
job with_checkpoints(job of, const std::string& directory, std::int64_t every) {
  of.checkpoint.directory = directory;
  of.checkpoint.every.rounds = every;
  of.checkpoint.keep = 1000;
  return of;
}

/// Oldest first.
std::vector<std::string> checkpoints_in(const std::string& directory) {
  auto paths = checkpoint_paths(directory);
  REQUIRE(paths);
  return {paths->rbegin(), paths->rend()};
}

checkpoint opened(const std::string& path) {
  auto made = checkpoint::open(path);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

/// What a job comes to if it goes on from a checkpoint.
outcome resumed(const job& of, const std::string& from,
                const scratch_folder& in) {
  const auto kept = opened(from);
  const auto again = in / "again";
  std::filesystem::remove_all(again);
  return outcome_of(with_checkpoints(of, again, of.checkpoint.every.rounds), {},
                    &kept);
}

std::string failure_of(const job& of, const std::string& from) {
  const auto kept = opened(from);
  const auto got = open_session(of, all_ops(), {}, &kept);
  return got ? "" : got.failure().message;
}

} // namespace

TEST_CASE("a job that goes on from any of its checkpoints ends with the bits "
          "of one that ran through",
          "[train][checkpoints]") {
  const auto jobs = {
    small_job(two_epochs + with_momentum),
    small_job(two_epochs + with_policy + schedule("1f1b", 3)
              + small_stages({1, 1})),
    small_job(two_epochs + with_momentum + small_stages({1, 1, 1})),
    small_job(two_epochs + with_policy + small_stages({2, 1})),
    small_job(two_epochs + with_momentum + schedule("pipedream-2bw", 4)
              + small_stages({1, 2})),
    small_job(two_epochs + with_momentum + schedule("zero-bubble", 4)
              + small_stages({1, 1})),
    small_job(two_epochs + with_momentum + schedule("interleaved", 4)
              + "chunks = 2\n" + small_stages({1, 1, 1, 1})),
    small_job(two_epochs + with_momentum + schedule("model-parallel", 1)
              + small_stages({1, 1})),
  };
  for (const auto& each : jobs) {
    INFO(describe(each));
    const scratch_folder here;
    const auto what = with_checkpoints(each, here / "kept", 2);
    const auto through = outcome_of(what);
    const auto all = checkpoints_in(here / "kept");
    REQUIRE(all.size() >= 4);
    for (std::size_t i = 0; i < all.size(); i += 2) {
      INFO(all[i]);
      CHECK(resumed(what, all[i], here).weights == through.weights);
    }
  }
}

TEST_CASE("a resumed job does the evaluation of the epoch that its checkpoint "
          "ends",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto what = with_checkpoints(small_job(two_epochs), here / "kept", 0);
  const auto through = outcome_of(what);
  const auto all = checkpoints_in(here / "kept");
  REQUIRE(all.size() == 2);
  CHECK(resumed(what, all[0], here).evaluations == through.evaluations);
  const auto at_the_end = resumed(what, all[1], here);
  CHECK(at_the_end.losses.empty());
  CHECK(at_the_end.evaluations
        == std::vector<double>{through.evaluations.back()});
}

TEST_CASE("a flushing job goes on with the same bits in any other cut, "
          "schedule, and number of stages",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto settings = two_epochs + with_policy;
  const auto what = with_checkpoints(
    small_job(settings + schedule("gpipe", 4) + small_stages({1, 1, 1})),
    here / "kept", 1);
  const auto through = outcome_of(what);
  const auto from = checkpoints_in(here / "kept")[1];
  for (const auto& each :
       {schedule("1f1b", 4), schedule("1f1b", 4) + small_stages({1, 1}),
        schedule("zero-bubble", 4) + small_stages({1, 1, 1, 1}),
        schedule("interleaved", 4) + "chunks = 2\n"
          + small_stages({1, 1, 1, 1})}) {
    INFO(each);
    auto other = small_job(settings + each);
    other.checkpoint.every.rounds = 1;
    CHECK(resumed(other, from, here).weights == through.weights);
  }
}

TEST_CASE("a checkpoint loads into any replication and schedule, and back, "
          "with every bit of weights and moments",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto settings = two_epochs + with_momentum;
  const auto what = with_checkpoints(small_job(settings + small_stages({2, 1})),
                                     here / "kept", 2);
  (void)outcome_of(what);
  const auto from = checkpoints_in(here / "kept")[0];
  const auto kept = opened(from);
  for (const auto& each : {small_stages({1, 3, 1}), small_stages({3}),
                           schedule("pipedream-2bw", 4) + small_stages({1, 2}),
                           schedule("interleaved", 4) + "chunks = 2\n"
                             + small_stages({2, 2, 2, 2})}) {
    INFO(each);
    auto all = deploy(small_job(settings + each), {99, 99}, all_ops());
    REQUIRE(all);
    REQUIRE(resume(*all, kept, all_ops()));
    for (int w = 0; w < all->where().workers(); ++w) {
      const auto worker = make_worker(*all, w, all_ops());
      REQUIRE(worker);
      for (std::size_t c = 0; c < worker->programs.size(); ++c)
        for (const auto& which : worker->programs[c]->plan().parameters) {
          INFO(which.name);
          if (which.rule.type != dtype::i64)
            CHECK(worker->programs[c]->read(which) == *kept.values(which.name));
          if (which.rule.is_trainable)
            CHECK(
              worker->programs[c]->unpacked(
                which, worker->updates[c]->moment_arrays()[0] + which.offset)
              == *kept.moment(which.name, 0));
        }
    }
  }
}

TEST_CASE("a checkpoint of another job is refused, and what differs is named",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto what =
    with_checkpoints(small_job(two_epochs + with_momentum), here / "kept", 5);
  (void)outcome_of(what);
  const auto from = checkpoints_in(here / "kept")[0];
  auto other = what;
  other.checkpoint = {};
  CHECK(failure_of(other, from).empty());
  other.seed = 2;
  CHECK(failure_of(other, from)
        == from + ": seed: the job has 2, the checkpoint 1");
  other = what;
  other.optimizer.rule = {.name = "adam"};
  CHECK(failure_of(other, from)
        == from + ": optimizer.name: the job has adam, the checkpoint sgd");
  other = what;
  other.data.microbatch = 3;
  CHECK(failure_of(other, from)
        == from
             + ": data.microbatch: the job has 3, the checkpoint is at sample "
               "20 of an epoch, within a microbatch");
  other = what;
  other.optimizer.rule.momentum = 0;
  CHECK(failure_of(other, from)
        == from
             + ": optimizer.momentum: the job has 0 moments of each parameter, "
               "the checkpoint 1");
  other = what;
  other.model.file.clear();
  other.model.name = "lenet";
  CHECK_THAT(
    failure_of(other, from),
    Catch::Equals(from
                  + ": 'conv1.weight': the job has shape [6, 3, 5, 5], "
                    "the checkpoint [20, 3, 3, 3]"));
}

TEST_CASE(
  "a checkpoint within an epoch goes on with the same samples only, and "
  "with some left",
  "[train][checkpoints]") {
  const scratch_folder here;
  const auto what =
    with_checkpoints(small_job(two_epochs + with_momentum), here / "kept", 5);
  (void)outcome_of(what);
  const auto from = checkpoints_in(here / "kept")[0];
  auto other = what;
  other.checkpoint = {};
  other.data.samples += 4;
  CHECK_THAT(failure_of(other, from),
             Catch::Contains("data: the job has")
               && Catch::Contains("the checkpoint is within an epoch of"));
  other = what;
  other.data.shuffle = !other.data.shuffle;
  CHECK_THAT(failure_of(other, from), Catch::Contains(": data: the job has"));
  other = what;
  other.train.max_microbatches = 5;
  CHECK_THAT(failure_of(other, from),
             Catch::Contains("the checkpoint is at sample 20 of an epoch, "
                             "behind which there is no round"));
}

TEST_CASE("a checkpoint of more epochs than the job has is refused, one at "
          "their end is not",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto what = with_checkpoints(small_job(two_epochs), here / "kept", 0);
  (void)outcome_of(what);
  const auto last = checkpoints_in(here / "kept").back();
  auto other = what;
  other.checkpoint = {};
  REQUIRE_THAT(last, Catch::EndsWith("e000002-s0000000000"));
  CHECK(failure_of(other, last).empty());
  other.train.epochs = 1;
  CHECK_THAT(failure_of(other, last),
             Catch::EndsWith("train.epochs: the job has 1, the checkpoint is "
                             "at sample 0 of epoch 2"));
}

TEST_CASE("a new run does not begin in a folder that holds checkpoints",
          "[train][checkpoints]") {
  const scratch_folder here;
  const auto what = with_checkpoints(small_job(two_epochs), here / "kept", 0);
  (void)outcome_of(what);
  const auto again = open_session(what, all_ops());
  REQUIRE(!again);
  CHECK_THAT(again.failure().message,
             Catch::Contains("holds checkpoints: wanted --resume"));
}

TEST_CASE("a pass has whole rounds up to a checkpoint or the epoch's end",
          "[train][checkpoints]") {
  auto what = small_job(two_epochs + schedule("gpipe", 2));
  what.checkpoint.directory = "kept";
  what.checkpoint.every.rounds = 4;
  what.train.max_microbatches = 21;
  const auto all = deploy(what, {99, 99}, all_ops());
  REQUIRE(all);
  CHECK(all->epoch_microbatches == 20);
  CHECK(all->training->microbatches == 8);
  CHECK(pass_length(*all, 0) == 8);
  CHECK(pass_length(*all, 16) == 4);
  CHECK(pass_length(*all, 17) == 2); // of another round, made elsewhere
  CHECK(pass_length(*all, 20) == 0);
  CHECK(pass_length(*all, 100) == 0);
}
