/// What workers hold while a timetable runs, measured, against what the
/// timetable says and what `pd-engine check` reports.

#include "engine/device/cpu_device.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <numeric>

using namespace pd;

namespace {

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

/// Every schedule, on straight and on replicated stages.
std::vector<job> all_jobs() {
  std::vector<job> made;
  for (const auto& name : schedule_names()) {
    const bool has_rounds = name != "model-parallel" && name != "pipedream";
    const auto how = "[schedule]\nname = '" + name + "'\n"
                     + (has_rounds ? "microbatches = 12\n" : "");
    if (name == "interleaved") {
      for (const auto& replicas : {std::vector{1, 1, 1, 1}, {3, 3, 3, 3}})
        made.push_back(
          small_job(small_stages(replicas) + how + "chunks = 2\n"));
      continue;
    }
    for (const auto& replicas : {std::vector{1, 1, 1, 1}, {1, 3, 1}, {2, 3, 1}})
      made.push_back(small_job(small_stages(replicas) + how));
  }
  for (const auto& replicas : {std::vector{1, 1, 1, 1}, {2, 3, 1}})
    made.push_back(
      small_job(small_stages(replicas), {"schedule.vertical_sync=true"}));
  for (auto i = made.size(); i-- > 0;) {
    made.push_back(made[i]);
    for (auto& stage : made.back().stages)
      stage.recompute = true;
  }
  return made;
}

std::string describe(const job& what) {
  std::string text = what.schedule.name;
  for (const auto& each : what.stages)
    text +=
      " " + std::to_string(each.replicas) + (each.recompute ? " again" : "");
  return text;
}

/// When a version of a chunk's weights was there, in actions of all workers.
struct version_life {
  std::int64_t made = 0;
  std::int64_t last_used = 0;
};

/// What a worker was seen to hold, after each action of anybody.
struct held {
  std::int64_t peak_in_flight = 0;                            ///< all chunks
  std::vector<std::int64_t> peaks;                            ///< by chunk
  std::vector<std::map<std::int64_t, version_life>> versions; ///< by chunk
};

/// The most versions at a time from the oldest that was used then or later to
/// the newest: the store gives up the oldest first.
std::int64_t most_kept(const std::map<std::int64_t, version_life>& versions) {
  std::int64_t most = 0;
  for (const auto& [newest, life] : versions)
    for (const auto& [number, other] : versions)
      if (number <= newest && other.last_used >= life.made)
        most = std::max(most, newest - number + 1);
  return most;
}

void look(held& at_worker,
          const std::vector<std::unique_ptr<stage_program>>& programs,
          std::int64_t now) {
  std::int64_t in_flight = 0;
  at_worker.peaks.resize(programs.size());
  at_worker.versions.resize(programs.size());
  for (std::size_t c = 0; c < programs.size(); ++c) {
    auto& weights = programs[c]->weights();
    in_flight += programs[c]->in_flight();
    at_worker.peaks[c] =
      std::max<std::int64_t>(at_worker.peaks[c], programs[c]->in_flight());
    for (const auto& each : weights.versions())
      if (each.pins > 0 || &each == &weights.newest())
        at_worker.versions[c]
          .try_emplace(each.number, version_life{now, now})
          .first->second.last_used = now;
  }
  at_worker.peak_in_flight = std::max(at_worker.peak_in_flight, in_flight);
}

/// One epoch, watched.
std::vector<held> watch(deployed_pipeline& of, bool runs_ahead) {
  std::vector<held> seen(of.workers.size());
  std::int64_t now = 0;
  for (std::size_t w = 0; w < seen.size(); ++w)
    look(seen[w], of.workers[w].programs, now);
  of.runs_ahead = runs_ahead;
  of.on_action = [&](int worker) {
    look(seen[at(worker)], of.workers[at(worker)].programs, ++now);
  };
  of.train(0);
  of.on_action = {};
  return seen;
}

std::int64_t bytes_of(const std::vector<memory_item>& items,
                      const std::string& name) {
  const auto found = std::ranges::find(items, name, &memory_item::name);
  return found == items.end() ? 0 : found->bytes;
}

std::int64_t sum_of(const std::vector<memory_item>& items) {
  return std::accumulate(
    items.begin(), items.end(), std::int64_t{0},
    [](std::int64_t sum, const memory_item& each) { return sum + each.bytes; });
}

std::vector<memory_item> reported(const deployed_pipeline& of, int worker) {
  cpu_device on{{.threads = 1}};
  const auto plans = plan_worker(of.all, worker, all_ops(), on);
  REQUIRE(plans);
  const auto items = memory_of_worker(of.all, worker, *plans, all_ops(), on);
  REQUIRE(items);
  return *items;
}

/// What was seen of a worker, against the timetable and its simulation.
void check_worker(const deployed_pipeline& of, std::size_t w, const held& seen,
                  const simulation& simulated) {
  INFO("worker " << w);
  CHECK(seen.peak_in_flight == simulated.peak_in_flight[w]);
  std::int64_t versions = 0;
  std::vector<std::int64_t> slots;
  for (std::size_t c = 0; c < seen.peaks.size(); ++c) {
    slots.push_back(of.workers[w].programs[c]->plan().options.in_flight);
    versions = std::max(versions, most_kept(seen.versions[c]));
  }
  CHECK(seen.peaks == slots);
  CHECK(versions == versions_kept(of.all.training->rows[w]));
  CHECK(versions == versions_of_worker(of.all, static_cast<int>(w)));
}

void check_peaks(const job& what, bool runs_ahead) {
  INFO(describe(what) << (runs_ahead ? ", running ahead" : ""));
  deployed_pipeline of{what};
  const auto& all = *of.all.training;
  const auto simulated = simulate(all, balanced_costs(all.shape), of.all.links);
  const auto seen = watch(of, runs_ahead);
  for (std::size_t w = 0; w < seen.size(); ++w)
    check_worker(of, w, seen[w], simulated);
}

/// What its device has handed out is what check reports, from the start on.
void check_bytes(const deployed_pipeline& of, std::size_t w,
                 std::int64_t allocations_before) {
  const auto& memory = of.workers[w].on->memory();
  CHECK(memory.allocations() == allocations_before);
  const auto items = reported(of, static_cast<int>(w));
  const auto wanted = sum_of(items) - bytes_of(items, "batches");
  CHECK(memory.in_use_bytes() == wanted);
  CHECK(memory.peak_bytes() == wanted);
  std::int64_t extra = 0;
  for (const auto& each : of.workers[w].programs)
    extra += each->extra_handoff_bytes();
  CHECK(extra == 0);
}

/// An epoch, if the job trains, and an evaluation.
void check_memory(const job& what, bool runs_ahead) {
  INFO(describe(what) << (runs_ahead ? ", running ahead" : ""));
  deployed_pipeline of{what};
  of.runs_ahead = runs_ahead;
  std::vector<std::int64_t> before;
  for (const auto& worker : of.workers)
    before.push_back(worker.on->memory().allocations());
  if (of.all.training)
    of.train(0);
  of.evaluate();
  for (std::size_t w = 0; w < of.workers.size(); ++w)
    check_bytes(of, w, before[w]);
}

} // namespace

TEST_CASE("a worker's microbatches in flight and versions kept, measured, are "
          "what its timetable says",
          "[train][memory]") {
  for (const auto& each : all_jobs()) {
    check_peaks(each, false);
    check_peaks(each, true);
  }
}

TEST_CASE("pipedream with four stages keeps 4, 3, 2 and 1 versions: those that "
          "are in flight",
          "[train][memory]") {
  deployed_pipeline of{small_job(small_stages({1, 1, 1, 1}))};
  const auto seen = watch(of, true);
  for (int stage = 0; stage < 4; ++stage) {
    INFO("stage " << stage);
    const auto& worker = of.workers[at(stage)];
    const std::int64_t wanted = 4 - stage;
    CHECK(seen[at(stage)].peak_in_flight == wanted);
    CHECK(most_kept(seen[at(stage)].versions[0]) == wanted);
    const auto items = reported(of, stage);
    const auto others =
      sum_of(items) - bytes_of(items, "weights") - bytes_of(items, "batches");
    const auto version_bytes = worker.programs[0]->plan().trainable_elems * 4;
    CHECK(worker.on->memory().peak_bytes() - others == wanted * version_bytes);
  }
}

TEST_CASE("training and evaluation take no memory beyond what check reports, "
          "whoever runs ahead",
          "[train][memory]") {
  auto jobs = all_jobs();
  jobs.push_back(small_job(small_stages({1, 3, 1}), {"train.epochs=0"}));
  for (const auto& each : jobs) {
    check_memory(each, false);
    check_memory(each, true);
  }
}
