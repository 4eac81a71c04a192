#include "engine/planner/simulation.hpp"

#include "tests/engine/schedule/every_shape.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace pd;

namespace {

/// One second a half, and no bytes: stages that keep pace.
std::vector<stage_load> balanced_loads(const timetable& all) {
  std::vector<stage_load> made;
  for (const auto& each : balanced_costs(all.shape))
    made.push_back({.forward_s = each.forward,
                    .input_s = each.input,
                    .weight_s = each.weight,
                    .buckets = {{1, 1}}});
  return made;
}

/// The same bytes along every edge, each way.
std::vector<stage_load> loads_with_bytes(const timetable& all, double bytes) {
  auto made = balanced_loads(all);
  const auto links = neighbours(all.shape);
  for (std::size_t s = 0; s < made.size(); ++s) {
    made[s].activation_bytes.assign(links[s].downstream.size(), bytes);
    made[s].gradient_bytes.assign(links[s].upstream.size(), bytes);
  }
  return made;
}

/// Workers, each a machine with a port of so many bytes/s.
fabric flat(int workers, double bandwidth, double latency = 0,
            reduction_kind how = reduction_kind::exchange) {
  return {{{workers, bandwidth, latency}}, how, {}};
}

cluster_run run_of(const timetable& all, const std::vector<stage_load>& loads,
                   const fabric& net = {}) {
  const auto links = neighbours(all.shape);
  return simulate_cluster(all, links, loads, net);
}

/// When an action ends.
double end_of(const timetable& all, const cluster_run& run, int worker,
              const std::string& name) {
  const auto w = static_cast<std::size_t>(worker);
  for (std::size_t i = 0; i < all.rows[w].size(); ++i)
    if (to_string(all.rows[w][i]) == name)
      return run.actions.times[w][i].end;
  FAIL(name);
  return 0;
}

/// One stage of replicas that update once, of `bytes` of gradients.
cluster_run reduce(int replicas, double bytes, const fabric& net) {
  const auto all = generated(
    {.name = "pipedream", .shape = {{replicas}}, .microbatches = replicas});
  auto loads = balanced_loads(all);
  loads[0] = {
    .forward_s = 1, .input_s = 1, .weight_s = 1, .buckets = {{bytes, 1}}};
  return run_of(all, loads, net);
}

} // namespace

TEST_CASE("with free links a cluster runs as the schedule's own simulation",
          "[planner][simulation]") {
  for (const auto& name : schedule_names())
    for (const auto& shape : shapes_of(3, 3)) {
      const bool has_chunks = name == "interleaved";
      auto placed = shape;
      placed.chunks = has_chunks ? 2 : 1;
      const schedule_options how{
        .name = name, .shape = placed, .microbatches = 36, .round = 18};
      const auto all = generate(how);
      if (!all)
        continue; // not of this shape
      INFO(to_string(*all));
      const auto wanted = simulate(*all, balanced_costs(all->shape));
      const auto found = run_of(*all, balanced_loads(*all));
      CHECK(found.actions.span == wanted.span);
      CHECK(found.actions.busy == wanted.busy);
      CHECK(found.actions.peak_in_flight == wanted.peak_in_flight);
      for (std::size_t w = 0; w < wanted.times.size(); ++w)
        for (std::size_t i = 0; i < wanted.times[w].size(); ++i)
          CHECK(found.actions.times[w][i].start == wanted.times[w][i].start);
    }
}

TEST_CASE("the bubble of equal stages is (p - 1) / (m + p - 1)",
          "[planner][simulation]") {
  for (const auto* name : {"gpipe", "1f1b"})
    for (const int stages : {1, 2, 4, 7})
      for (const int round : {1, 4, 16}) {
        const auto all = generated({.name = name,
                                    .shape = straight(stages),
                                    .microbatches = round,
                                    .round = round});
        const auto run = run_of(all, balanced_loads(all));
        CHECK(bubble_share(run.actions)
              == Approx((stages - 1.0) / (round + stages - 1.0)));
      }
}

TEST_CASE("a flushing schedule takes (m + p - 1) / m times its work",
          "[planner][simulation]") {
  const auto all = generated(
    {.name = "1f1b", .shape = straight(4), .microbatches = 48, .round = 8});
  CHECK(steady_seconds(all, run_of(all, balanced_loads(all)))
        == Approx(3 * 11.0 / 8));
}

TEST_CASE("pipedream's steady state is the busiest worker's time",
          "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = {{2, 1}}, .microbatches = 48});
  CHECK(steady_seconds(all, run_of(all, balanced_loads(all))) == Approx(3));
  const auto filling = generated({.name = "pipedream",
                                  .shape = straight(8),
                                  .microbatches = 6,
                                  .depth = {8, 7, 6, 5, 4, 3, 2, 1}});
  CHECK(steady_seconds(filling, run_of(filling, balanced_loads(filling)))
        == Approx(3));
}

TEST_CASE("a sum takes 2 (m - 1) / m of its bytes over the bandwidth",
          "[planner][simulation]") {
  for (const auto how : {reduction_kind::exchange, reduction_kind::ring})
    for (const int replicas : {2, 3, 4, 16}) {
      const auto run = reduce(replicas, 1e9, flat(replicas, 1e8, 0, how));
      const auto seconds = 2 * (replicas - 1.0) / replicas * 1e9 / 1e8;
      CHECK(run.actions.span == Approx(3 + seconds));
      for (const auto each : run.reduced_bytes)
        CHECK(each == Approx(2 * (replicas - 1.0) / replicas * 1e9));
    }
}

TEST_CASE("a sum waits for its latency, a ring for each of its steps",
          "[planner][simulation]") {
  const auto seconds = [](reduction_kind how) {
    return reduce(4, 0, flat(4, 1e8, 0.5, how)).actions.span - 3;
  };
  CHECK(seconds(reduction_kind::exchange) == Approx(2 * 0.5));
  CHECK(seconds(reduction_kind::ring) == Approx(6 * 0.5));
}

TEST_CASE("replicas of one machine share its port, unless they form a ring",
          "[planner][simulation]") {
  // Four on two machines: each worker sends to two of the other machine.
  const auto seconds = [](reduction_kind how) {
    const fabric net{{{2, 1e12, 0}, {2, 1e8, 0}}, how, {}};
    return reduce(4, 1e8, net).actions.span - 3;
  };
  CHECK(seconds(reduction_kind::exchange)
        == Approx(2 * 2 * 2.0 / 4).epsilon(1e-3));
  CHECK(seconds(reduction_kind::ring) == Approx(2 * 3.0 / 4).epsilon(1e-3));
}

TEST_CASE("replicas that share machines sum along a chain, once a way",
          "[planner][simulation]") {
  const auto run_on = [](int machines, reduction_kind how) {
    const fabric net{{{4, 1e12, 0}, {machines, 1e8, 0}}, how, {}};
    return reduce(4 * machines, 1e9, net);
  };
  for (const int machines : {2, 4}) {
    const auto run = run_on(machines, reduction_kind::engine);
    const auto ways = machines == 2 ? 1 : 2; // there and back are full duplex
    CHECK(run.actions.span - 3 == Approx(ways * 10).epsilon(0.02));
    CHECK(run.reduced_bytes.front() == 1e9);
    CHECK(run.reduced_bytes[1] == 2e9);
    CHECK(run.actions.span
          == run_on(machines, reduction_kind::chain).actions.span);
  }
  CHECK(run_on(1, reduction_kind::engine).actions.span
        == run_on(1, reduction_kind::exchange).actions.span);
}

TEST_CASE("a chain waits for its first segment's way there and back",
          "[planner][simulation]") {
  // 1 MiB is the largest segment; it passes the link of two machines twice.
  const fabric net{{{2, 1e12, 0}, {2, 1e6, 0.5}}, reduction_kind::chain, {}};
  const double bytes = 64.0 * (4 << 20);
  const auto seconds = reduce(4, bytes, net).actions.span - 3 - bytes / 1e6;
  CHECK(seconds == Approx(2 * (1 << 20) / 1e6 + 2 * 0.5).epsilon(1e-3));
}

TEST_CASE("buckets are summed beside the rest of the backward",
          "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = {{2}}, .microbatches = 2});
  const auto span = [&](const std::vector<bucket_load>& buckets) {
    const std::vector<stage_load> loads{
      {.forward_s = 1, .input_s = 5, .weight_s = 5, .buckets = buckets}};
    return run_of(all, loads, flat(2, 1)).actions.span;
  };
  CHECK(span({{4, 1}}) == Approx(11 + 4));
  CHECK(span({{2, 0.5}, {2, 1}}) == Approx(11 + 2));    // the first is hidden
  CHECK(span({{8, 0.5}, {2, 1}}) == Approx(6 + 8 + 2)); // and not wholly so
}

TEST_CASE("transfers along one link go one after the other",
          "[planner][simulation]") {
  const auto all = parsed("schedule gpipe\nreplicas 1 1\nmicrobatches 2\n"
                          "rounds 2 2\ndepth 2 2\n"
                          "worker 0: F0 F1 B0 B1 U1\n"
                          "worker 1: F0 F1 B0 B1 U1\n");
  const auto run = run_of(all, loads_with_bytes(all, 30), flat(2, 10, 0.25));
  // A second a forward, three on the wire: they queue behind each other.
  CHECK(end_of(all, run, 1, "F0") == Approx(1 + 3 + 0.25 + 1));
  CHECK(end_of(all, run, 1, "F1") == Approx(1 + 3 + 3 + 0.25 + 1));
}

TEST_CASE("what goes to a busy port shares it", "[planner][simulation]") {
  // Two replicas send to one worker at once: each has half of its port.
  const auto all = parsed("schedule gpipe\nreplicas 2 1\nmicrobatches 2\n"
                          "rounds 2 2\ndepth 1 2\n"
                          "worker 0: F0 B0 U1\nworker 1: F1 B1 U1\n"
                          "worker 2: F0 F1 B0 B1 U1\n");
  auto loads = loads_with_bytes(all, 30);
  loads[0].forward_s = 1;
  loads[1].forward_s = 0;
  const auto run = run_of(all, loads, flat(3, 10));
  CHECK(end_of(all, run, 2, "F0") == Approx(1 + 6));
  CHECK(end_of(all, run, 2, "F1") == Approx(1 + 6));
}

TEST_CASE("a port is full duplex", "[planner][simulation]") {
  const auto all = generated({.name = "pipedream",
                              .shape = straight(2),
                              .microbatches = 64,
                              .depth = {6, 1}});
  // Three seconds a way and three of compute: hidden if both ways are free.
  const auto run = run_of(all, loads_with_bytes(all, 29), flat(2, 10));
  CHECK(steady_seconds(all, run) == Approx(3));
}

TEST_CASE("links carry what their edges do", "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = {{2, 3}}, .microbatches = 12});
  const auto run = run_of(all, loads_with_bytes(all, 7), flat(5, 10));
  std::int64_t messages = 0;
  std::set<std::pair<int, int>> ends;
  for (const auto& each : run.links) {
    CHECK(each.bytes == 7 * static_cast<double>(each.messages));
    messages += each.messages;
    CHECK(ends.insert({each.from, each.to}).second);
  }
  CHECK(messages == 2 * 12);
  CHECK(ends.size() == 2 * 6);
}

TEST_CASE("recomputed forwards lengthen the backward",
          "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = straight(1), .microbatches = 4});
  auto loads = balanced_loads(all);
  loads[0].again_s = 0.5;
  CHECK(run_of(all, loads).actions.span == Approx(4 * 3.5));
}

TEST_CASE("joint updates wait for all stages", "[planner][simulation]") {
  auto all = generated(
    {.name = "1f1b", .shape = straight(2), .microbatches = 8, .round = 4});
  const auto apart = run_of(all, balanced_loads(all));
  all.joint_updates = true;
  const auto joint = run_of(all, balanced_loads(all));
  REQUIRE(joint.actions.deadlock.empty());
  CHECK(end_of(all, joint, 1, "U1") > end_of(all, apart, 1, "U1"));
  CHECK(end_of(all, joint, 1, "U1") == end_of(all, joint, 0, "B3"));
}

TEST_CASE("a timetable that deadlocks is told by its circle of waits",
          "[planner][simulation]") {
  const auto all = parsed("schedule pipedream\nreplicas 1 1\nmicrobatches 2\n"
                          "rounds 1 1\ndepth 1 1\n"
                          "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                          "worker 1: F0 B0 U1 F1 B1 U2\n");
  const auto run = run_of(all, balanced_loads(all), flat(2, 10));
  REQUIRE_FALSE(run.actions.deadlock.empty());
  CHECK(to_string(run.actions.deadlock) == "worker 0 waits for B0 of its own");
}

TEST_CASE("a simulation of one thing gives one result",
          "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = {{4, 2}}, .microbatches = 40});
  const auto once = run_of(all, loads_with_bytes(all, 20), flat(6, 10));
  const auto again = run_of(all, loads_with_bytes(all, 20), flat(6, 10));
  CHECK(once.actions.span == again.actions.span);
  CHECK(once.reduced_bytes == again.reduced_bytes);
}

TEST_CASE("4,096 workers come to an end", "[planner][simulation]") {
  const auto straight_run = [](int stages) {
    std::vector<int> depth;
    for (int s = 0; s < stages; ++s)
      depth.push_back(std::min(8, stages - s));
    return generated({.name = "1f1b",
                      .shape = straight(stages),
                      .microbatches = 16,
                      .round = 8,
                      .depth = depth});
  };
  const auto deep = straight_run(4096);
  const auto run =
    run_of(deep, loads_with_bytes(deep, 10), flat(4096, 100, 0.01));
  CHECK(run.actions.deadlock.empty());
  CHECK(run.links.size() == std::size_t{2} * 4095);
  const pipeline_shape square{std::vector<int>(64, 64)};
  const auto wide = generated(
    {.name = "gpipe", .shape = square, .microbatches = 256, .round = 128});
  const fabric net{{{8, 1e3, 0}, {512, 1e3, 0}}};
  CHECK(run_of(wide, loads_with_bytes(wide, 10), net).actions.deadlock.empty());
}

TEST_CASE("a slower worker takes longer", "[planner][simulation]") {
  const auto all =
    generated({.name = "pipedream", .shape = straight(2), .microbatches = 48});
  auto net = flat(2, 1e9);
  net.speeds = {1, 0.5};
  CHECK(steady_seconds(all, run_of(all, balanced_loads(all), net))
        == Approx(6));
}

TEST_CASE("a cluster too small for its workers is told",
          "[planner][simulation]") {
  CHECK(flat(4, 1e9).check(4));
  CHECK(fabric{}.check(4096));
  const auto checked = flat(4, 1e9).check(5);
  REQUIRE_FALSE(checked);
  CHECK(checked.failure().message
        == "network: 5 workers want as many machines, got 4");
}
