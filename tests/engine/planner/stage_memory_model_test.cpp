#include "engine/planner/stage_memory_model.hpp"

#include "engine/schedule/generate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace pd;

namespace {

struct counted {
  std::int64_t in_flight = 0;
  std::int64_t versions = 0;
};

/// What the timetable of the schedule really has, by stage.
std::vector<counted> count(const plan_schedule& schedule,
                           const std::vector<int>& replicas) {
  schedule_options how;
  how.name = schedule.name;
  how.shape = {replicas, 1};
  how.round = std::max<std::int64_t>(1, schedule.microbatches);
  how.microbatches = 48;
  const auto made = generate(how);
  INFO((made ? "" : made.failure().message));
  REQUIRE(made);
  const placement place{how.shape};
  std::vector<counted> found(replicas.size());
  for (std::size_t s = 0; s < found.size(); ++s) {
    const auto worker = place.worker_at(static_cast<int>(s), 0);
    found[s] = {made->depth[s],
                versions_kept(made->rows[static_cast<std::size_t>(worker)])};
  }
  return found;
}

std::string failure_of(plan_schedule schedule) {
  const auto made = resolve(std::move(schedule), 4);
  REQUIRE_FALSE(made);
  return made.failure().message;
}

} // namespace

TEST_CASE("in a straight pipeline a plan counts what the timetable has",
          "[planner][memory]") {
  for (const auto* name : {"pipedream", "pipedream-2bw", "1f1b", "gpipe",
                           "zero-bubble", "zero-bubble-2p"})
    for (int stages = 1; stages <= 4; ++stages) {
      INFO(name << " of " << stages);
      plan_schedule schedule{name, 0, false};
      if (!has_no_round(schedule))
        schedule.microbatches = 8;
      const auto found =
        count(schedule, std::vector<int>(static_cast<std::size_t>(stages), 1));
      for (int s = 0; s < stages; ++s) {
        const auto flying = in_flight(schedule, {stages, s, 1});
        CHECK(flying == found[static_cast<std::size_t>(s)].in_flight);
        CHECK(versions(schedule, flying)
              == found[static_cast<std::size_t>(s)].versions);
      }
    }
}

TEST_CASE("replicas share the minibatches in flight", "[planner][memory]") {
  const plan_schedule schedule;
  CHECK(in_flight(schedule, {4, 0, 3}) == 2); // 3-1
  CHECK(in_flight(schedule, {16, 0, 15}) == 2);
  CHECK(in_flight(schedule, {4, 0, 4}) == 1); // data parallel
  CHECK(in_flight({"gpipe", 12, false}, {4, 0, 3}) == 4);
  CHECK(in_flight({"1f1b", 2, false}, {8, 0, 1}) == 2); // no more than a round
}

TEST_CASE("memory counts versions, gradients, momentum and what is in flight",
          "[planner][memory]") {
  const stage_bytes of{100, 10, 1};
  CHECK(memory_bytes({"pipedream", 0, false}, of, 3) == 5 * 100 + 3 * 11);
  CHECK(memory_bytes({"pipedream-2bw", 8, false}, of, 3) == 4 * 100 + 3 * 11);
  CHECK(memory_bytes({"1f1b", 8, false}, of, 3) == 3 * 100 + 3 * 11);
  CHECK(memory_bytes({"1f1b", 8, true}, of, 3) == 3 * 100 + 10 + 3);
}

TEST_CASE("a schedule that a plan does not know is refused",
          "[planner][memory]") {
  CHECK(failure_of({"gpip", 0, false})
          .find("no schedule 'gpip' (did you mean "
                "'gpipe'?); there are ")
        != std::string::npos);
  CHECK(failure_of({"interleaved", 0, false}).find("no plan for 'interleaved'")
        != std::string::npos);
  CHECK(failure_of({"pipedream", 8, false})
        == "microbatches: 'pipedream' has no rounds, wanted none, got 8");
  CHECK(failure_of({"gpipe", -1, false})
        == "microbatches: wanted 1 or more, got -1");
}

TEST_CASE("a round has 4 microbatches a worker if nobody says how many",
          "[planner][memory]") {
  CHECK(resolve({"gpipe", 0, false}, 4)->microbatches == 16);
  CHECK(resolve({"pipedream", 0, false}, 4)->microbatches == 0);
}
