#include "engine/train/node_timing.hpp"

#include "engine/planner/profile_file.hpp"
#include "engine/program/pipeline.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

timed_network timed(const job& what) {
  auto made = time_network(what, all_ops(), {.repeats = 3, .warmups = 1});
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

double sum_of(const profile& of, double (*part)(const profiled_node&)) {
  double sum = 0;
  for (const auto& each : of.nodes)
    sum += part(each);
  return sum;
}

} // namespace

TEST_CASE("every node of a profile has a forward time, a backward and a size",
          "[train][node_timing]") {
  const auto found = timed(small_job(""));
  REQUIRE(found.nodes.validate());
  CHECK(found.nodes.minibatch == 4);
  CHECK(found.step.us > 0);
  for (const auto& each : found.nodes.nodes) {
    INFO(each.name);
    CHECK(each.forward.us > 0);
    CHECK(output_bytes(each) > 0);
    CHECK((each.parameter_bytes > 0) == (each.update.us > 0));
    CHECK((each.parameter_bytes > 0) == (each.backward_weight.us > 0));
  }
}

TEST_CASE("a stage may end behind every node of a profile",
          "[train][node_timing]") {
  const auto what = small_job("");
  const auto net = build_graph(what, all_ops());
  REQUIRE(net);
  const auto found = timed(what);
  int last = 0;
  for (const auto& each : found.nodes.nodes) {
    INFO(each.name);
    if (&each == &found.nodes.nodes.back())
      break;
    const auto ends = stage_ends(*net, {each.name, ""});
    REQUIRE(ends);
    CHECK((*ends)[0] > last);
    last = (*ends)[0];
  }
}

TEST_CASE("a profile's parameters and stash are those of the plan",
          "[train][node_timing]") {
  const auto what = small_job("");
  const auto all = deploy(what, {}, all_ops());
  REQUIRE(all);
  const auto on = open_device("cpu", {.threads = 1});
  REQUIRE(on);
  const auto plans = plan_worker(*all, 0, all_ops(), **on);
  REQUIRE(plans);
  const auto found = timed(what);
  const auto parameters = sum_of(found.nodes, [](const profiled_node& each) {
    return each.parameter_bytes;
  });
  const auto placed = 4 * static_cast<double>((*plans)[0].trainable_elems);
  CHECK(parameters <= placed);
  CHECK(parameters > 0.9 * placed);
  const auto stash = sum_of(
    found.nodes, [](const profiled_node& each) { return each.stash_bytes; });
  CHECK(stash > 0);
}
