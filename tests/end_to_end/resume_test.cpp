/// Jobs that are killed and go on, as a machine that fails leaves them: kill -9
/// of the whole process group, workers and all.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>

using namespace pd::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::milliseconds;

constexpr int kills_a_schedule = 30;

struct scheduled {
  std::string workers;
  std::string text; ///< [schedule] and [[stage]]
};

const std::string two_stages = "[[stage]]\nuntil = 'pool1'\n[[stage]]\n";
const std::string hybrid = "[[stage]]\nuntil = 'pool1'\nreplicas = 2\n"
                           "[[stage]]\n";
const std::string four_stages =
  "[[stage]]\nuntil = 'pool1'\n[[stage]]\nuntil = 'pool2'\n"
  "[[stage]]\nuntil = 'fc2'\n[[stage]]\n";

std::string schedule(const std::string& name, int microbatches) {
  return "[schedule]\nname = '" + name
         + "'\nmicrobatches = " + std::to_string(microbatches) + "\n";
}

/// Two epochs, each with eight checkpoints and an evaluation.
std::string job(const scheduled& how) {
  return "name = 'small'\n[model]\nname = 'lenet'\nimage = [28, 28, 1]\n"
         "[data]\nmicrobatch = 8\n[train]\nepochs = 2\nevaluate = 'end'\n"
         "max_microbatches = 64\n"
         "[optimizer]\nname = 'adam'\nlr = 1e-3\npolicy = 'cosine'\n"
         "[checkpoint]\ndirectory = 'kept'\nevery = "
         + std::string{how.text.find("microbatches") == std::string::npos ? "4"
                                                                          : "2"}
         + "\n[run]\nworkers = '" + how.workers + "'\nthreads_per_worker = 1\n"
         + how.text;
}

/// A folder with the job, run in it until it has ended without being killed.
class resumed_job {
public:
  explicit resumed_job(const scheduled& how)
    : file_{here_.write("job.toml", job(how))} {}

  [[nodiscard]] std::vector<std::string> words(bool is_resumed = true) const {
    std::vector<std::string> made{"run", file_, "--runs", here_ / "runs"};
    if (is_resumed)
      made.emplace_back("--resume");
    return made;
  }
  [[nodiscard]] const scratch_folder& folder() const { return here_; }

  /// If a checkpoint is being written at this moment.
  [[nodiscard]] bool is_saving() const {
    std::error_code ignored;
    const std::filesystem::directory_iterator kept{here_ / "kept", ignored};
    for (const auto& each : kept)
      if (each.path().extension() == ".part")
        return true;
    return false;
  }

  /// What the run that came to the end left.
  [[nodiscard]] std::string weights() const {
    for (const auto& each : std::filesystem::directory_iterator{here_ / "runs"})
      if (const auto path = each.path() / "weights.safetensors";
          std::filesystem::exists(path))
        return read(path.string());
    return "";
  }

private:
  scratch_folder here_;
  std::string file_;
};

struct undisturbed {
  std::string weights;
  milliseconds lasted{};
};

undisturbed run_through(const scheduled& how) {
  const resumed_job job{how};
  const auto begin = std::chrono::steady_clock::now();
  const auto done = run(job.folder(), job.words());
  INFO(done.err);
  REQUIRE(done.status == 0);
  return {job.weights(), std::chrono::duration_cast<milliseconds>(
                           std::chrono::steady_clock::now() - begin)};
}

/// Kills jobs at moments of their lives; each that comes to its end must have
/// the weights of one that nobody disturbed.
class killer {
public:
  killer(const scheduled& how, std::uint64_t seed)
    : how_{how}, wanted_{run_through(how)}, draw_{seed} {}

  void kill_often() {
    while (kills_ < kills_a_schedule)
      kill_until_it_ends();
    CHECK(kills_while_saving_ > 0);
  }

private:
  /// One job, killed and resumed.
  void kill_until_it_ends() {
    const resumed_job job{how_};
    while (kills_ < kills_a_schedule) {
      running program{job.folder(), job.words()};
      if (!kill_at_some_moment(job, program)) {
        check_end(job, program.wait());
        return;
      }
    }
    check_end(job, run(job.folder(), job.words()));
  }

  void check_end(const resumed_job& job, const ended& of) {
    INFO(of.err);
    REQUIRE(of.status == 0);
    CHECK(job.weights() == wanted_.weights);
  }

  /// False if it came to its end before. Every third is killed as it writes a
  /// checkpoint, the others at a moment of the time that a whole job takes.
  bool kill_at_some_moment(const resumed_job& job, running& program) {
    const auto share = std::uniform_real_distribution<>{0, 1}(draw_);
    const bool is_to_be_saving = draw_() % 3 == 0;
    const milliseconds delay{static_cast<std::int64_t>(
      share * share * static_cast<double>(wanted_.lasted.count()))};
    const bool has_ended =
      comes_true(delay, [&] { return program.has_ended(); });
    if (has_ended)
      return false;
    if (is_to_be_saving)
      (void)comes_true(1min,
                       [&] { return job.is_saving() || program.has_ended(); });
    const bool was_saving = job.is_saving();
    if (program.has_ended())
      return false;
    program.kill_group();
    kills_while_saving_ += was_saving ? 1 : 0;
    ++kills_;
    return true;
  }

  scheduled how_;
  undisturbed wanted_;
  std::mt19937_64 draw_;
  int kills_ = 0;
  int kills_while_saving_ = 0;
};

/// Interrupts it after its first checkpoint; false if it came to its end
/// before.
bool is_interrupted(const resumed_job& job) {
  const auto kept = job.folder() / "kept";
  running program{job.folder(), job.words()};
  REQUIRE(comes_true(1min, [&] {
    return std::filesystem::exists(kept) && !std::filesystem::is_empty(kept);
  }));
  program.signal(SIGINT);
  const auto status = program.wait().status;
  CHECK((status == 130 || status == 0));
  return status == 130;
}

} // namespace

TEST_CASE("a job that is killed at 30 moments and goes on each time ends with "
          "the bits of one that ran through, with six schedules",
          "[end_to_end][resume][slow]") {
  const std::vector<scheduled> all{
    {"processes", hybrid},
    {"threads", schedule("pipedream-2bw", 4) + two_stages},
    {"threads", schedule("gpipe", 4) + hybrid},
    {"processes", schedule("1f1b", 4) + two_stages},
    {"threads", schedule("interleaved", 4) + "chunks = 2\n" + four_stages},
    {"threads", schedule("zero-bubble", 4) + two_stages},
  };
  std::uint64_t seed = 1;
  for (const auto& each : all) {
    INFO(each.text << "seed " << seed);
    killer{each, seed++}.kill_often();
  }
}

TEST_CASE(
  "a resumed run begins anew where there is no checkpoint, and goes on from "
  "the newest whole one where the newest is not",
  "[end_to_end][resume]") {
  const resumed_job job{{"threads", two_stages}};
  const auto first = run(job.folder(), job.words());
  REQUIRE(first.status == 0);
  CHECK_THAT(first.out, Catch::Contains("no checkpoint yet"));
  const auto newest = job.folder() / "kept/e000002-s0000000000";
  const auto before = job.folder() / "kept/e000001-s0000000480";
  std::filesystem::resize_file(newest + "/manifest.json", 100);
  const auto second = run(job.folder(), job.words());
  INFO(second.err);
  REQUIRE(second.status == 0);
  CHECK_THAT(second.out, Catch::Contains("goes on from " + before
                                         + ": epoch 1, sample 480"));
  CHECK_THAT(second.err, Catch::Contains(newest + "/manifest.json"));
  const auto listed = run(job.folder(), {"checkpoints", job.folder() / "kept"});
  CHECK_THAT(listed.out, Catch::Contains("e000002-s0000000000")
                           && !Catch::Contains("corrupt")
                           && !Catch::Contains("torn")); // written again
}

TEST_CASE("a job that wants checkpoints where none can be written says so "
          "before it trains",
          "[end_to_end][resume]") {
  const resumed_job job{{"threads", two_stages}};
  (void)job.folder().write("kept", "a file");
  for (const bool is_resumed : {false, true}) {
    const auto done = run(job.folder(), job.words(is_resumed));
    CHECK(done.status == 2);
    CHECK_THAT(done.err, Catch::Contains(job.folder() / "kept"));
    CHECK(done.out.empty());
  }
  const resumed_job without{{"threads", two_stages}};
  auto words = without.words();
  words.insert(words.end(), {"--set", "checkpoint.directory=", "--set",
                             "checkpoint.every=epoch"});
  const auto refused = run(without.folder(), words);
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("--resume: wanted a job with "
                                          "checkpoint.directory"));
}

TEST_CASE("a job that is interrupted goes on from its last checkpoint with the "
          "bits of one that ran through",
          "[end_to_end][resume]") {
  const scheduled how{"threads", two_stages};
  const auto wanted = run_through(how);
  std::optional<resumed_job> job;
  int tries = 0;
  do {
    REQUIRE(tries++ < 10);
    job.emplace(how);
  } while (!is_interrupted(*job));
  std::filesystem::remove_all(job->folder() / "runs");
  REQUIRE(run(job->folder(), job->words()).status == 0);
  CHECK(job->weights() == wanted.weights);
}

TEST_CASE("a resume in a folder whose only checkpoint is torn does not begin",
          "[end_to_end][resume]") {
  const resumed_job job{{"threads", two_stages}};
  std::filesystem::create_directories(job.folder()
                                      / "kept/e000001-s0000000000");
  const auto done = run(job.folder(), job.words());
  CHECK(done.status == 2);
  CHECK_THAT(done.err, Catch::Contains("no checkpoint is whole; wanted one, or "
                                       "an empty folder to begin anew"));
}

TEST_CASE("a folder whose name is no UTF-8 holds checkpoints",
          "[end_to_end][resume]") {
  const scratch_folder here;
  const auto folder = here / "d\xff";
  std::filesystem::create_directory(folder);
  const auto file = here.write("d\xff/job.toml", job({"threads", ""}));
  const auto done = run(here, {"run", file, "--runs", folder + "/runs"});
  CHECK(done.status == 0);
  CHECK(done.err.empty());
  const auto again =
    run(here, {"run", file, "--resume", "--json", "--runs", folder + "/runs"});
  CHECK(again.status == 0);
  CHECK_THAT(again.out, Catch::Contains("\"loss\":null"));
}
