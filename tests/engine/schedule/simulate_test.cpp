#include "engine/schedule/simulate.hpp"

#include "tests/engine/schedule/every_shape.hpp"

using namespace pd;

namespace {

timetable two_stages() {
  return parsed("schedule pipedream\nreplicas 1 1\nmicrobatches 2\n"
                "rounds 1 1\ndepth 2 1\n"
                "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                "worker 1: F0 B0 U1 F1 B1 U2\n");
}

/// "F0 0-1, F1 1-2, ..." of one worker.
std::string times_of(const timetable& all, const simulation& run, int worker) {
  std::string text;
  const auto w = static_cast<std::size_t>(worker);
  for (std::size_t i = 0; i < run.times[w].size(); ++i) {
    const auto& when = run.times[w][i];
    text += to_string(all.rows[w][i]) + " "
            + std::to_string(std::lround(when.start)) + "-"
            + std::to_string(std::lround(when.end)) + " ";
  }
  return text;
}

} // namespace

TEST_CASE("an action starts when its operand is there and its worker is free",
          "[schedule][simulate]") {
  const auto all = two_stages();
  const auto run = simulate(all, balanced_costs(all.shape));
  CHECK(times_of(all, run, 0) == "F0 0-1 F1 1-2 B0 4-6 U1 6-6 B1 7-9 U2 9-9 ");
  CHECK(times_of(all, run, 1) == "F0 1-2 B0 2-4 U1 4-4 F1 4-5 B1 5-7 U2 7-7 ");
  CHECK(run.span == 9);
  CHECK(run.busy == std::vector<double>{6, 6});
  CHECK(bubble_share(run) == Approx(1.0 / 3));
  CHECK(run.deadlock.empty());
}

TEST_CASE("a transfer takes time beside compute", "[schedule][simulate]") {
  const auto all = two_stages();
  auto costs = balanced_costs(all.shape);
  costs[0].activation_transfer = 3;
  costs[1].gradient_transfer = 5;
  costs[1].update = 2;
  const auto run = simulate(all, costs);
  CHECK(times_of(all, run, 0)
        == "F0 0-1 F1 1-2 B0 12-14 U1 14-14 B1 17-19 U2 19-19 ");
  CHECK(times_of(all, run, 1)
        == "F0 4-5 B0 5-7 U1 7-9 F1 9-10 B1 10-12 U2 12-14 ");
}

TEST_CASE("the peak is the most microbatches in flight at a time",
          "[schedule][simulate]") {
  const auto all = generated(
    {.name = "1f1b", .shape = straight(4), .microbatches = 16, .round = 8});
  const auto run = simulate(all, balanced_costs(all.shape));
  CHECK(run.peak_in_flight == std::vector<std::int64_t>{4, 3, 2, 1});
  const auto flood = generated(
    {.name = "gpipe", .shape = straight(4), .microbatches = 16, .round = 8});
  CHECK(simulate(flood, balanced_costs(all.shape)).peak_in_flight
        == std::vector<std::int64_t>{8, 8, 8, 8});
}

TEST_CASE("an update waits for the last backward of all replicas",
          "[schedule][simulate]") {
  const auto all = parsed("schedule pipedream\nreplicas 1 2\nmicrobatches 2\n"
                          "rounds 1 2\ndepth 2 1\n"
                          "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                          "worker 1: F0 B0 U1\n"
                          "worker 2: F1 B1 U1\n");
  const auto run = simulate(all, balanced_costs(all.shape));
  CHECK(times_of(all, run, 1) == "F0 1-3 B0 3-7 U1 8-8 ");
  CHECK(times_of(all, run, 2) == "F1 2-4 B1 4-8 U1 8-8 ");
}

TEST_CASE("a deadlock ends the simulation with its cycle and what did run",
          "[schedule][simulate]") {
  const auto all = parsed("schedule 1f1b\nreplicas 1 1\nmicrobatches 2\n"
                          "rounds 2 2\ndepth 1 2\n"
                          "worker 0: F0 B0 F1 B1 U1\n"
                          "worker 1: F0 F1 B0 B1 U1\n");
  const auto run = simulate(all, balanced_costs(all.shape));
  REQUIRE(run.deadlock.size() == 2);
  CHECK(run.deadlock[0].worker == 0);
  CHECK(run.deadlock[0].column == 1);
  CHECK(to_string(run.deadlock[0].lack)
        == "waits for the gradient of microbatch 0 from stage 1");
  CHECK(times_of(all, run, 0) == "F0 0-1 ");
  CHECK(times_of(all, run, 1) == "F0 1-2 ");
}

TEST_CASE("a skip edge is waited for", "[schedule][simulate]") {
  const auto all = generated(
    {.name = "gpipe", .shape = straight(3), .microbatches = 1, .round = 1});
  auto costs = balanced_costs(all.shape);
  costs[0].activation_transfer = 10; // to stage 1 and to stage 2
  const auto links = *with_skips(all.shape, {{0, 2}});
  CHECK(simulate(all, costs).times[2][0].start == 12);
  CHECK(simulate(all, costs, links).times[2][0].start == 12);
  costs[0].activation_transfer = 0;
  costs[2].gradient_transfer = 10;
  CHECK(simulate(all, costs, links).times[0][1].start == 17);
}

TEST_CASE("joint updates start when the round is whole on every stage, and a "
          "cycle of waits goes through them",
          "[schedule][simulate]") {
  const std::string rows = "replicas 1 1\nmicrobatches 2\nrounds 1 1\n"
                           "depth 2 2\n";
  const auto apart = parsed("schedule pipedream joint_updates\n" + rows
                            + "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                              "worker 1: F0 B0 U1 F1 B1 U2\n");
  const auto run = simulate(apart, balanced_costs(apart.shape));
  CHECK(times_of(apart, run, 0)
        == "F0 0-1 F1 1-2 B0 4-6 U1 6-6 B1 9-11 "
           "U2 11-11 ");
  CHECK(times_of(apart, run, 1)
        == "F0 1-2 B0 2-4 U1 6-6 F1 6-7 B1 7-9 "
           "U2 11-11 ");
  const auto stuck = parsed("schedule pipedream joint_updates\n" + rows
                            + "worker 0: F0 F1 B1 B0 U1 U2\n"
                              "worker 1: F0 B0 U1 F1 B1 U2\n");
  CHECK(to_string(simulate(stuck, balanced_costs(stuck.shape)).deadlock)
        == "worker 0 waits for B1 of worker 1, which waits for B0 of worker 0");
}
