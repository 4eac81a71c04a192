#include "engine/train/edges.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace pd;

namespace {

using numbers = std::vector<std::int64_t>;
using words = std::vector<std::string>;

deployment deployed(const std::string& text) {
  auto made = deploy(small_job(text), {.training = 48, .evaluation = 18},
                     all_ops()); // 12 and 5 microbatches
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

/// "activation 0 1: 0 > 1" is of stage 0, for stage 1, from worker 0 to 1.
words edges_of(const deployment& all, int worker) {
  words made;
  for (const auto& each : edges_into(all, worker))
    made.push_back(std::string{to_string(each.what)} + " "
                   + std::to_string(each.from) + " " + std::to_string(each.to)
                   + ": " + std::to_string(each.from_worker) + " > "
                   + std::to_string(each.to_worker));
  return made;
}

const std::string chain = small_stages({1, 1});
const std::string skip = small_stages({1, 1, 1, 1});
const std::string replicated = small_stages({2, 1});
const std::string chunked =
  small_stages({1, 1, 1, 1})
  + "[schedule]\nname = 'interleaved'\nmicrobatches = 4\nchunks = 2\n";

} // namespace

TEST_CASE("in a chain activations come from before, gradients from behind",
          "[train][edges]") {
  const auto all = deployed(chain);
  CHECK(edges_of(all, 0)
        == words{"gradient 1 0: 1 > 0", "acknowledgement 1 0: 1 > 0"});
  CHECK(edges_of(all, 1) == words{"activation 0 1: 0 > 1"});
  CHECK(has_edge(all, 0, 1));
  CHECK(has_edge(all, 1, 0));
  CHECK(!has_edge(all, 0, 0));
}

TEST_CASE("a value that skips a stage has an edge of its own",
          "[train][edges]") {
  const auto all = deployed(skip);
  CHECK(edges_of(all, 2)
        == words{"activation 0 2: 0 > 2", "activation 1 2: 1 > 2",
                 "gradient 3 2: 3 > 2", "acknowledgement 3 2: 3 > 2"});
  CHECK(has_edge(all, 0, 2));
  CHECK(!has_edge(all, 0, 3));
  CHECK(!is_bare(all, 0, 2));
  CHECK(!is_bare(all, 2, 0)); // either way
}

TEST_CASE("each replica has its share of an edge, in its sender's order",
          "[train][edges]") {
  const auto all = deployed(replicated);
  CHECK(edges_of(all, 2)
        == words{"activation 0 1: 0 > 2", "activation 0 1: 1 > 2"});
  CHECK(edges_of(all, 1)
        == words{"gradient 1 0: 2 > 1", "acknowledgement 1 0: 2 > 1"});
  CHECK(!has_edge(all, 0, 1));
  const auto order = [&](const stage_edge& along) {
    return order_on(along, all, *all.training);
  };
  CHECK(order({cargo::activation, 0, 1, 1, 2}) == numbers{1, 3, 5, 7, 9, 11});
  CHECK(order({cargo::gradient, 1, 0, 2, 0}) == numbers{0, 2, 4, 6, 8, 10});
  CHECK(order({cargo::acknowledgement, 1, 0, 2, 0}).empty());
  CHECK(order_on({cargo::acknowledgement, 1, 0, 2, 1}, all, *all.evaluation)
        == numbers{1, 3});
}

TEST_CASE("the order on an edge is that of the row, not of the microbatches",
          "[train][edges]") {
  auto all = deployed(chain + "[schedule]\nname = 'gpipe'\nmicrobatches = 4\n");
  auto turned = *all.training;
  std::swap(turned.rows[0][0], turned.rows[0][2]); // F2 F1 F0 F3
  const auto order = order_on({cargo::activation, 0, 1, 0, 1}, all, turned);
  CHECK(numbers(order.begin(), order.begin() + 5) == numbers{2, 1, 0, 3, 4});
}

TEST_CASE("chunks of two workers send to each other in turns",
          "[train][edges]") {
  const auto all = deployed(chunked);
  const auto into_1 = edges_of(all, 1);
  CHECK(std::ranges::count(into_1, "activation 0 1: 0 > 1") == 1);
  CHECK(std::ranges::count(into_1, "activation 2 3: 0 > 1") == 1);
  CHECK(std::ranges::count(into_1, "gradient 2 1: 0 > 1") == 1);
  CHECK(edges_of(all, 0).front() == "gradient 1 0: 1 > 0");
  CHECK(order_on({cargo::activation, 2, 3, 0, 1}, all, *all.training).size()
        == 12);
  // stages 0 and 2 are one worker's: no edge though a value skips stage 1
  CHECK(std::ranges::count(edges_of(all, 0), "activation 0 2: 0 > 0") == 0);
}

TEST_CASE("a message is of the values that its receiver takes from there",
          "[train][edges]") {
  const auto all = deployed(skip);
  cpu_device device{{.threads = 1}};
  const auto plans = plan_worker(all, 2, all_ops(), device);
  REQUIRE(plans);
  const auto types = [&](cargo what, int from) {
    return types_on({what, from, 2, from, 2}, all, (*plans)[0]);
  };
  REQUIRE(types(cargo::activation, 0).size() == 1); // the shortcut
  CHECK(types(cargo::activation, 0)[0].extents == shape{4, 24, 6, 6});
  CHECK(types(cargo::activation, 1) == types(cargo::activation, 0)); // relu2
  CHECK(types(cargo::gradient, 3).size() == 1);
  CHECK(types(cargo::acknowledgement, 3).empty());
  CHECK(slot_bytes(all, 2, *plans) > 0);
}

TEST_CASE("between stages of which none takes the other's value go "
          "acknowledgements alone",
          "[train][edges]") {
  auto all = deployed(chain);
  all.stages[0].departures.clear();
  all.stages[1].arrivals.clear();
  CHECK(is_bare(all, 0, 1));
  CHECK(is_bare(all, 1, 0));
  CHECK(edges_of(all, 0) == words{"acknowledgement 1 0: 1 > 0"});
  CHECK(
    order_on({cargo::acknowledgement, 1, 0, 1, 0}, all, *all.training).size()
    == 12); // one for each backward
}

TEST_CASE("an edge has room for what both ends have in flight, and one more",
          "[train][edges]") {
  const auto all = deployed(chain + "[schedule]\ndepth = [3, 1]\n");
  REQUIRE(all.evaluation->depth == std::vector{2, 1});
  CHECK(slots_on({cargo::activation, 0, 1, 0, 1}, all) == 3 + 1 + 1);
  CHECK(slots_on({cargo::gradient, 1, 0, 1, 0}, all) == 1 + 3 + 1);
  const auto shallow = deployed(chain + "[schedule]\ndepth = [1, 1]\n");
  CHECK(slots_on({cargo::activation, 0, 1, 0, 1}, shallow)
        == 2 + 1 + 1); // an evaluation has 2 in flight
}
