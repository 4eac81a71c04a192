/// A timetable that is read from a file is run as the one that was made.

#include "actors/actor_runner.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <unistd.h>
#include <utility>

using namespace pd;

namespace {

/// Three stages in all schedules, or four as two chunks of two workers.
job job_of(const std::string& schedule) {
  const bool has_chunks = schedule == "interleaved";
  auto made = small_job(
    small_stages(has_chunks ? std::vector{2, 2, 2, 2} : std::vector{2, 1, 1}));
  made.schedule.name = schedule;
  made.schedule.microbatches = 12;
  made.schedule.chunks = has_chunks ? 2 : 1;
  return made;
}

/// A job whose timetable is in a file, as long as this lives.
class job_with_file {
public:
  explicit job_with_file(const job& from,
                         const std::function<void(timetable&)>& change = {})
    : path_{std::filesystem::temp_directory_path()
            / ("pd-own-" + std::to_string(getpid()) + ".timetable")},
      what_{from} {
    const auto all = deploy(from, {.training = from.data.samples}, all_ops());
    REQUIRE(all);
    auto written = *all->training;
    if (change)
      change(written);
    std::ofstream{path_} << to_string(written);
    what_.schedule = {};
    what_.schedule.chunks = from.schedule.chunks;
    what_.schedule.file = path_.string();
  }
  job_with_file(const job_with_file&) = delete;
  job_with_file& operator=(const job_with_file&) = delete;
  ~job_with_file() { std::filesystem::remove(path_); }

  [[nodiscard]] const job& what() const { return what_; }

private:
  std::filesystem::path path_;
  job what_;
};

/// Every round with one microbatch in flight, from its last to its first.
void one_by_one_from_the_last(timetable& all) {
  std::ranges::fill(all.depth, 1);
  for (auto& cells : all.rows) {
    row made;
    for (const auto& each : std::exchange(cells, {}))
      if (each.kind == act::update) {
        std::ranges::reverse(made);
        cells.insert(cells.end(), made.begin(), made.end());
        cells.push_back(each);
        made.clear();
      } else if (each.kind == act::forward) {
        made.push_back({each.chunk, act::backward, each.index, each.version});
        made.push_back(each);
      }
    REQUIRE(made.empty());
  }
}

void check_same(const job& named) {
  INFO(describe(named));
  const job_with_file own{named};
  const auto wanted = outcome_of(named);
  CHECK(!wanted.losses.empty());
  CHECK(outcome_of(own.what()) == wanted);
  CHECK(outcome_of(own.what(), actor_runner::make) == wanted);
}

} // namespace

TEST_CASE("a timetable from a file gives the bits of the schedule that wrote "
          "it, under every schedule",
          "[actors][timetable_file]") {
  for (const auto& name : schedule_names())
    check_same(job_of(name));
  auto synchronous = job_of("pipedream");
  synchronous.schedule.vertical_sync = true;
  check_same(synchronous);
}

TEST_CASE("a late microbatch may come first in a round, however few batches "
          "are read ahead",
          "[actors][timetable_file]") {
  const job_with_file own{job_of("gpipe"), one_by_one_from_the_last};
  const auto wanted = outcome_of(own.what());
  CHECK(!wanted.losses.empty());
  CHECK(outcome_of(own.what(), actor_runner::make) == wanted);
}
