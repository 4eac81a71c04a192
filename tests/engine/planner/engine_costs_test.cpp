#include "engine/planner/engine_costs.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <limits>

using namespace pd;

namespace {

/// Three nodes in a row, of 1 s forward and 2 s backward, 8 bytes of output and
/// 6 of parameters each.
cut_list row_of_three() {
  profile of;
  of.network = "net";
  for (int i = 0; i < 3; ++i) {
    profiled_node each;
    each.name = "n" + std::to_string(i);
    each.forward.us = 1e6;
    each.backward_input.us = 2e6;
    each.activation_bytes = {8};
    each.parameter_bytes = 6;
    if (i > 0)
      each.inputs = {i - 1};
    of.nodes.push_back(each);
  }
  return *find_cuts(of, cut_rule::antichains);
}

cluster levels(std::vector<std::int64_t> machines,
               std::vector<double> bandwidths) {
  return *uniform_cluster(machines, bandwidths);
}

const plan_schedule pipedream;

} // namespace

TEST_CASE("compute and synchronization are shared by the replicas",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  const auto on = levels({4}, {2});
  const engine_costs costs{cuts, on, pipedream, 0};
  const auto time = costs.time_of({-1, 2}, 0, 3);
  CHECK(time.compute_s == Approx(9.0 / 3));
  CHECK(time.sync_s == Approx(2.0 * 2 / 3 * 18 / 2 / 3)); // once in 3
  CHECK(time.send_s == 0);
  CHECK(time.total_s == Approx(4.0));
}

TEST_CASE("a round of more minibatches is synchronized once",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  const auto on = levels({4}, {2});
  const plan_schedule gpipe{"gpipe", 12, false};
  const engine_costs costs{cuts, on, gpipe, 0};
  CHECK(costs.time_of({-1, 2}, 0, 3).sync_s
        == Approx(2.0 * 2 / 3 * 18 / 2 / 12));
}

TEST_CASE("every replica makes the update of a round",
          "[planner][engine_costs]") {
  auto cuts = row_of_three();
  cuts.cuts.back().update_us = 6e6;
  const auto on = levels({4}, {2});
  const engine_costs costs{cuts, on, pipedream, 0};
  CHECK(costs.time_of({-1, 2}, 0, 3).compute_s == Approx((9.0 + 6.0) / 3));
  const plan_schedule gpipe{"gpipe", 12, false};
  const engine_costs rounds{cuts, on, gpipe, 0};
  CHECK(rounds.time_of({-1, 2}, 0, 3).compute_s == Approx(9.0 / 3 + 6.0 / 12));
}

TEST_CASE("a stage in the middle sends to both sides",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  const auto on = levels({4}, {2});
  const engine_costs costs{cuts, on, pipedream, 0};
  CHECK(costs.time_of({-1, 0}, 0, 1).send_s == Approx(8.0 / 2));
  CHECK(costs.time_of({0, 1}, 1, 2).send_s == Approx(16.0 / 2 / 2));
  CHECK(costs.time_of({1, 2}, 3, 1).send_s == Approx(8.0 / 2));
}

TEST_CASE("a stage over two servers reaches its neighbours over their links",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  const auto on = levels({2, 2}, {100, 2});
  const engine_costs costs{cuts, on, pipedream, 0};
  // Worker 0 is in the server of worker 1, but worker 2 is not.
  CHECK(costs.time_of({0, 2}, 1, 2).send_s == Approx(8.0 / 2 / 2));
  CHECK(costs.time_of({0, 2}, 1, 1).send_s == Approx(8.0 / 100));
  // Both of a server share its link.
  CHECK(costs.time_of({0, 2}, 2, 2).send_s == Approx(8.0 / 2));
}

TEST_CASE("gradients go at the pace of the links among the replicas",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  const auto within = levels({2, 2}, {100, 2});
  const engine_costs costs{cuts, within, pipedream, 0};
  CHECK(costs.time_of({-1, 2}, 0, 2).sync_s == Approx(18.0 / 100 / 2));
  CHECK(costs.time_of({-1, 2}, 1, 2).sync_s == Approx(18.0 / 2 / 2));
}

TEST_CASE("the smallest and the slowest worker bound a stage",
          "[planner][engine_costs]") {
  const auto cuts = row_of_three();
  auto on = levels({3}, {2});
  on.workers[1].speed = 0.5;
  on.workers[2].memory_bytes = 1;
  const engine_costs costs{cuts, on, pipedream, 0};
  CHECK(costs.time_of({-1, 2}, 0, 2).compute_s == Approx(9 / 0.5 / 2));
  std::array<double, 3> filled{};
  costs.fill({-1, 2}, 0, filled);
  CHECK(filled[1] == Approx(9.0));
  CHECK(filled[2] == std::numeric_limits<double>::infinity());
}
