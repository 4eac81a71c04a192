/// Jobs of processes, killed and interrupted at seeded moments: while workers
/// start, connect, deploy and join, in training and in evaluations; workers are
/// killed as the weights are sent, too.

#include "tests/end_to_end/running_program.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

using namespace pd::test;
using namespace std::chrono_literals;

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Two replicas and two more stages; an evaluation after each epoch.
std::string job(int epochs) {
  return "name = 'small'\n[model]\nname = 'lenet'\nimage = [28, 28, 1]\n"
         "[data]\ndataset = 'synthetic'\nsamples = 640\nmicrobatch = 16\n"
         "[train]\nprint_every = 1\nepochs = "
         + std::to_string(epochs)
         + "\n[run]\nworkers = 'processes'\n"
           "[[stage]]\nuntil = 'pool1'\nreplicas = 2\n"
           "[[stage]]\nuntil = 'fc1'\n[[stage]]\n";
}

constexpr int endless = 1'000'000;

/// The stage and the replica of the job's workers.
const std::vector<std::string> names{
  "worker 0 \\(stage 0, replica 0\\)", "worker 1 \\(stage 0, replica 1\\)",
  "worker 2 \\(stage 1, replica 0\\)", "worker 3 \\(stage 2, replica 0\\)"};

/// Moments of a span, one in each of `count` parts of it, at random; the parts
/// are the shorter the earlier they are.
class moments {
public:
  moments(milliseconds span, int count, std::uint64_t seed)
    : span_{span}, count_{count}, draw_{seed} {}

  milliseconds next() {
    const auto share = (part_++ + std::uniform_real_distribution<>{}(draw_))
                       / static_cast<double>(count_);
    return milliseconds{static_cast<std::int64_t>(
      share * share * static_cast<double>(span_.count()))};
  }

private:
  milliseconds span_;
  int count_;
  int part_ = 0;
  std::mt19937_64 draw_;
};

/// A job from the moment at which it has a process.
struct started_job {
  scratch_folder here;
  running program;

  explicit started_job(int epochs)
    : program{
      here,
      {"run", here.write("job.toml", job(epochs)), "--runs", here / "runs"}} {
    const bool has_begun =
      comes_true(1min, [this] { return !program.children().empty(); });
    REQUIRE(has_begun);
  }

  /// With -9, when it starts no more workers. Gives those that there are.
  std::vector<pid_t> kill_program() {
    program.signal(SIGSTOP);
    const bool has_stopped =
      comes_true(1min, [this] { return is_stopped(program.id()); });
    REQUIRE(has_stopped);
    auto workers = program.children();
    program.signal(SIGKILL);
    program.wait();
    return workers;
  }

  [[nodiscard]] bool has_run_folder() const {
    return std::filesystem::exists(here / "runs");
  }
};

/// How long a job lasts that nobody disturbs.
milliseconds undisturbed(int epochs) {
  started_job job{epochs};
  const auto begin = clock::now();
  const auto done = job.program.wait();
  INFO(done.err);
  REQUIRE(done.status == 0);
  return std::chrono::duration_cast<milliseconds>(clock::now() - begin);
}

/// Lets `act` do with a job what it likes, at each of so many moments.
void at_moments(std::uint64_t seed, int count, int epochs,
                const std::function<void(started_job&)>& act) {
  moments when{undisturbed(2), count, seed};
  for (int i = 0; i < count; ++i) {
    started_job job{epochs};
    const auto delay = when.next();
    std::this_thread::sleep_for(delay);
    INFO("seed " << seed << ", job " << i << ", after " << delay.count()
                 << " ms");
    act(job);
  }
}

std::vector<std::string> said_lines(const ended& of) {
  auto lines = lines_of(of.err);
  std::erase(lines, "");
  return lines;
}

} // namespace

TEST_CASE("a worker that is killed at any moment ends the job within 3 s, and "
          "one line names it; or the job was over",
          "[end_to_end][processes][slow]") {
  std::mt19937_64 draw{1};
  at_moments(1, 24, 2, [&](started_job& job) {
    const auto workers = job.program.children(); // the first so many
    const auto which = workers.empty() ? 0 : draw() % workers.size();
    INFO("worker " << which << " of " << workers.size());
    if (!workers.empty())
      kill(workers[which], SIGKILL);
    const auto done = job.program.wait_within(3s);
    REQUIRE(done);
    INFO(done->err);
    CHECK(are_gone(workers));
    const auto said = said_lines(*done);
    if (done->status == 0) {
      CHECK(said.empty());
      CHECK(job.program.prints("run directory: "));
      return;
    }
    CHECK(done->status == 1);
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Catch::Matches("pd-engine: error: " + names[which]
                                       + "(, .*)?: killed by signal 9 "
                                         "\\(Killed\\)"));
  });
}

TEST_CASE("Ctrl-C before all workers are ready ends a job with 130, nothing is "
          "left of it, and no error is told",
          "[end_to_end][processes]") {
  started_job job{endless};
  const auto first = job.program.children().front();
  kill(first, SIGSTOP); // so that they are never ready
  job.program.signal(SIGINT);
  const auto done = job.program.wait_within(3s);
  REQUIRE(done);
  CHECK(done->status == 130);
  CHECK(said_lines(*done)
        == std::vector<std::string>{
          "interrupted: ending after what has begun; again ends at once",
          "pd-engine: interrupted before all workers were ready"});
  CHECK(are_gone({first}));
  CHECK(!job.has_run_folder());
}

TEST_CASE("Ctrl-C at any moment ends a job within 3 s with 130, and no error "
          "is told",
          "[end_to_end][processes][slow]") {
  at_moments(2, 12, endless, [](started_job& job) {
    const auto workers = job.program.children();
    job.program.signal(SIGINT);
    const auto done = job.program.wait_within(3s);
    REQUIRE(done);
    INFO(done->err);
    CHECK(done->status == 130);
    CHECK(done->err.find("error") == std::string::npos);
    CHECK(are_gone(workers));
  });
}

TEST_CASE("no worker lives 5 s after its coordinator was killed with -9, at "
          "any moment",
          "[end_to_end][processes][slow]") {
  at_moments(3, 12, endless, [](started_job& job) {
    const auto workers = job.kill_program();
    const bool are_gone_soon =
      comes_true(5s, [&] { return are_gone(workers); });
    CHECK(are_gone_soon);
  });
}
