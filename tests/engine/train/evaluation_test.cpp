/// Train, evaluate, train again: on pipelines whose edges skip stages, whose
/// stages are replicated, whose last microbatch is short.

#include "engine/train/session.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <unistd.h>

using namespace pd;

namespace {

const std::atomic<bool> never{false};

/// more, overrides: of small_job.
session opened(const std::string& more,
               const std::vector<std::string>& overrides = {}) {
  auto with = open_session(small_job(more, overrides), all_ops());
  if (!with)
    FAIL(with.failure().message);
  return std::move(*with);
}

std::map<std::string, std::vector<float>> weights_in(session& with) {
  const auto weights = with.runner->weights();
  REQUIRE(weights);
  std::map<std::string, std::vector<float>> made;
  for (const auto& each : *weights)
    made[each.name] = each.values;
  return made;
}

struct outcome {
  std::vector<double> losses; ///< of updates
  std::map<std::string, std::vector<float>> weights;
  std::vector<evaluation_metrics> evaluations;
};

outcome run_all(session& with) {
  outcome made;
  const auto done = with.loop->run(
    {[&](const update_metrics& at, const train_progress&) -> result<void> {
       made.losses.push_back(at.loss);
       return {};
     },
     [](const train_progress&) {},
     [&](const evaluation_metrics& at) -> result<void> {
       made.evaluations.push_back(at);
       return {};
     }},
    never);
  if (!done)
    FAIL(done.failure().message);
  made.weights = weights_in(with);
  return made;
}

/// samples, loss, correct, correct in five; by microbatch.
using figures =
  std::map<std::int64_t, std::tuple<std::int64_t, double, double, double>>;

figures evaluated(session& with) {
  figures made;
  const auto done = with.runner->run(
    {0, 0, with.plan->evaluation->microbatches, false},
    {[&](const loss_figures& of) -> result<void> {
       made[of.microbatch] = {of.samples, of.loss, of.correct, of.correct_top5};
       return {};
     },
     [](std::int64_t, double) -> result<void> { return {}; }},
    never);
  if (!done)
    FAIL(done.failure().message);
  return made;
}

const std::vector<std::string>& all_jobs() {
  static const std::vector<std::string> jobs{
    "",
    small_stages({1, 1, 1, 1}),
    small_stages({2, 3, 1}),
    small_stages({1, 1, 1, 3}),
    small_stages({2, 1, 2}) + "[schedule]\nname = '1f1b'\nmicrobatches = 4\n",
    small_stages({1, 1, 1, 1})
      + "[schedule]\nname = 'zero-bubble'\nmicrobatches = 8\n",
    small_stages({2, 2, 2, 2})
      + "[schedule]\nname = 'interleaved'\nchunks = 2\nmicrobatches = 8\n"};
  return jobs;
}

/// A file that is gone at the end.
class scratch_file {
public:
  explicit scratch_file(const std::string& name)
    : path_{std::filesystem::temp_directory_path()
            / ("pd-" + std::to_string(getpid()) + "-" + name)} {}
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  ~scratch_file() {
    std::error_code is_of_no_use;
    std::filesystem::remove(path_, is_of_no_use);
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

} // namespace

TEST_CASE("an evaluation between two epochs changes no bit of the second",
          "[train][evaluation]") {
  for (const auto& each : all_jobs()) {
    INFO(each);
    auto with = opened(each, {"train.epochs=2", "train.evaluate=epoch"});
    auto without = opened(each, {"train.epochs=2", "train.evaluate=never"});
    const auto got = run_all(with);
    const auto wanted = run_all(without);
    CHECK(got.evaluations.size() == 2);
    CHECK(wanted.evaluations.empty());
    CHECK(got.losses == wanted.losses);
    CHECK(got.weights == wanted.weights);
  }
}

TEST_CASE("a pipeline evaluates as one worker with its weights does, the short "
          "last microbatch included",
          "[train][evaluation]") {
  const scratch_file weights{"evaluated.safetensors"};
  for (const auto& each : all_jobs()) {
    INFO(each);
    auto cut = opened(each);
    const auto trained = run_all(cut);
    REQUIRE(save_weights(*cut.runner->weights(), weights.path()));
    auto alone =
      opened("", {"train.epochs=0", "model.weights=" + weights.path()});
    const auto wanted = run_all(alone);
    const auto by_microbatch = evaluated(alone);
    REQUIRE(by_microbatch.size() == 25);
    CHECK(std::get<0>(by_microbatch.at(24)) == 3); // of 4 samples
    CHECK(evaluated(cut) == by_microbatch);
    // The sums may be in another order if the last stage is replicated.
    REQUIRE(trained.evaluations.size() == 1);
    CHECK(trained.evaluations[0].samples == 99);
    CHECK(trained.evaluations[0].loss
          == Approx(wanted.evaluations.at(0).loss).epsilon(1e-14));
    CHECK(trained.evaluations[0].accuracy == wanted.evaluations[0].accuracy);
    CHECK(trained.evaluations[0].top5_accuracy
          == wanted.evaluations[0].top5_accuracy);
  }
}

TEST_CASE("stages of unlike replication agree on an epoch that leaves samples "
          "over",
          "[train][deployment]") {
  // 95 samples are 23 whole microbatches; a common round has 6, 12 and 3.
  struct length {
    std::vector<int> replicas;
    std::int64_t microbatches;
  };
  for (const auto& each :
       {length{{2, 3, 1}, 18}, length{{4, 3, 1}, 12}, length{{1, 3, 1}, 21}}) {
    auto with =
      opened(small_stages(each.replicas),
             {"train.epochs=2", "data.samples=95", "train.evaluate=never"});
    const auto& all = *with.plan->training;
    CHECK(all.microbatches == each.microbatches);
    for (int s = 0; s < 3; ++s)
      CHECK(versions_made(all, s) * each.replicas[static_cast<std::size_t>(s)]
            == each.microbatches);
    const auto done = with.loop->run(
      {[](const update_metrics&, const train_progress&) -> result<void> {
         return {};
       },
       [](const train_progress&) {},
       [](const evaluation_metrics&) -> result<void> { return {}; }},
      never);
    REQUIRE(done);
    CHECK(done->samples == std::int64_t{8} * each.microbatches); // of 2 epochs
    CHECK(done->left_over == 95 - 4 * each.microbatches);
  }
}
