#include "engine/train/job_load.hpp"

#include "engine/planner/running_nodes.hpp"
#include "engine/train/edges.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <numeric>

using namespace pd;

namespace {

deployment deployed(const job& what) {
  auto made = deploy(what, {99, 99}, all_ops());
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

/// Each node a second a pass: forward, and each half of its backward.
profile even_profile(const deployment& all) {
  const auto net = build_graph(all.what, all_ops());
  REQUIRE(net);
  profile made{net->name, "", all.what.data.microbatch, {}};
  for (const auto& each : running_nodes(*net))
    if (!each.is_from_loader && !each.until.empty()) {
      auto& node = made.nodes.emplace_back();
      node.name = each.until;
      node.forward.us = node.backward_input.us = node.backward_weight.us = 1e6;
      node.update.us = 1e6;
      node.activation_bytes = {1};
    }
  return made;
}

job_load loaded(const deployment& all) {
  auto made = load_of_job(all, even_profile(all), all_ops());
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

cluster_run run_of(const deployment& all, const job_load& load) {
  const fabric net{{{all.where().workers(), 1e9, 0}}};
  return simulate_cluster(*all.training, all.links, load.loads, net);
}

/// What goes from one worker to another in a training pass, by the edges.
double bytes_between(const deployment& all, const link_use& ends) {
  const auto on = open_device("cpu", {.threads = 1});
  REQUIRE(on);
  const auto plans = plan_worker(all, ends.to, all_ops(), **on);
  REQUIRE(plans);
  std::int64_t sum = 0;
  for (const auto& each : edges_into(all, ends.to)) {
    if (each.from_worker != ends.from || each.what == cargo::acknowledgement)
      continue;
    const auto chunk = all.where().chunk_of_virtual(each.to);
    const auto messages = order_on(each, all, *all.training).size();
    for (const auto& type :
         types_on(each, all, (*plans)[static_cast<std::size_t>(chunk)]))
      sum += type.bytes() * static_cast<std::int64_t>(messages);
  }
  return static_cast<double>(sum);
}

} // namespace

TEST_CASE("no time of a profile is lost or counted twice between stages",
          "[train][job_load]") {
  for (const auto& replicas :
       std::vector<std::vector<int>>{{1}, {1, 1}, {2, 1, 1}, {1, 2, 1, 1}}) {
    const auto all = deployed(small_job(small_stages(replicas)));
    const auto nodes = even_profile(all).nodes.size();
    const auto load = loaded(all);
    double forward = 0;
    double weight = 0;
    for (const auto& each : load.loads) {
      forward += each.forward_s;
      weight += each.weight_s;
    }
    CHECK(forward == Approx(static_cast<double>(nodes)));
    CHECK(weight == Approx(static_cast<double>(nodes)));
  }
}

TEST_CASE("a simulated link carries the bytes that its edges do",
          "[train][job_load]") {
  for (const auto& replicas :
       std::vector<std::vector<int>>{{1, 1}, {2, 1, 1}, {1, 3, 1, 2}}) {
    const auto all = deployed(small_job(small_stages(replicas)));
    const auto run = run_of(all, loaded(all));
    REQUIRE_FALSE(run.links.empty());
    for (const auto& each : run.links) {
      INFO(each.from << " to " << each.to);
      CHECK(each.bytes == bytes_between(all, each));
    }
  }
}

TEST_CASE("a stage's buckets hold all its gradients, and end with its backward",
          "[train][job_load]") {
  const auto all =
    deployed(small_job(small_stages({2, 1}), {"run.bucket_bytes=1024"}));
  const auto load = loaded(all);
  const auto on = open_device("cpu", {.threads = 1});
  REQUIRE(on);
  const auto plans = plan_worker(all, 0, all_ops(), **on);
  REQUIRE(plans);
  const auto& buckets = load.loads[0].buckets;
  REQUIRE(buckets.size() > 1);
  double bytes = 0;
  double share = 0;
  for (const auto& each : buckets) {
    bytes += each.bytes;
    CHECK(each.whole_share > share);
    share = each.whole_share;
  }
  CHECK(bytes == 4 * static_cast<double>((*plans)[0].trainable_elems));
  CHECK(share == Approx(1));
}

TEST_CASE("a simulated worker's memory is what check says",
          "[train][job_load]") {
  const auto all = deployed(small_job(small_stages({2, 1})));
  const auto load = loaded(all);
  const auto on = open_device("cpu", {.threads = threads_of_worker(all)});
  REQUIRE(on);
  for (int stage = 0; stage < 2; ++stage) {
    const int worker = all.where().worker_at(stage, 0);
    const auto plans = plan_worker(all, worker, all_ops(), **on);
    REQUIRE(plans);
    const auto wanted = memory_of_worker(all, worker, *plans, all_ops(), **on);
    REQUIRE(wanted);
    const auto& found = load.memory[static_cast<std::size_t>(stage)];
    REQUIRE(found.size() == wanted->size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].name == (*wanted)[i].name);
      CHECK(found[i].bytes == (*wanted)[i].bytes);
    }
  }
}

TEST_CASE("a stage that recomputes runs what it did not keep again",
          "[train][job_load]") {
  const auto plain = deployed(small_job(small_stages({1, 1})));
  auto what = small_job(small_stages({1, 1}));
  what.stages[0].recompute = true;
  const auto again = deployed(what);
  CHECK(loaded(plain).loads[0].again_s == 0);
  const auto load = loaded(again);
  CHECK(load.loads[0].again_s > 0);
  CHECK(load.loads[0].again_s <= load.loads[0].forward_s);
  CHECK(load.loads[1].again_s == 0);
}

TEST_CASE("a profile of another network or minibatch is refused by name",
          "[train][job_load]") {
  const auto all = deployed(small_job(small_stages({1, 1})));
  const auto failure_of = [&](const profile& from) {
    const auto made = load_of_job(all, from, all_ops());
    REQUIRE_FALSE(made);
    return made.failure().message;
  };
  auto other = even_profile(all);
  other.minibatch = 5;
  CHECK(failure_of(other)
        == "profile: its minibatch is 5 samples; wanted the job's "
           "data.microbatch = 4");
  auto more = even_profile(all);
  more.nodes.push_back(more.nodes.back());
  more.nodes.back().name = "strange";
  CHECK(failure_of(more).starts_with("profile: node 'strange' is not in"));
  auto fewer = even_profile(all);
  const auto gone = fewer.nodes.back().name;
  fewer.nodes.pop_back();
  CHECK(failure_of(fewer).starts_with("profile: no node '" + gone + "'"));
}
