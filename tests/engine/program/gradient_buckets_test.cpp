#include "engine/program/gradient_buckets.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/models/models.hpp"
#include "engine/program/pipeline.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace pd;

namespace {

std::size_t at(int index) {
  return static_cast<std::size_t>(index);
}

template <class T>
T value_of(result<T> from) {
  if (!from)
    FAIL(from.failure().message);
  return std::move(*from);
}

/// Of every stage of a network that is cut behind the nodes `until`.
std::vector<stage_plan> plans_of(const graph& net, device& on,
                                 std::vector<std::string> until) {
  until.emplace_back();
  std::vector<stage_plan> made;
  for (const auto& each : value_of(
         cut_pipeline(net, all_ops(), 2, value_of(stage_ends(net, until))))) {
    std::set<int> outputs;
    for (const auto& departure : each.departures)
      outputs.insert(departure.node);
    made.push_back(value_of(plan_stage(each.net, all_ops(), on, {}, outputs)));
  }
  return made;
}

graph model(const std::string& name, std::int64_t side, std::int64_t channels) {
  return value_of(
    build_model(name, {.height = side, .width = side, .channels = channels}));
}

/// Bytes of a node's trainable parameters, padding included.
std::int64_t bytes_of(const stage_plan& plan, int node) {
  std::int64_t first = plan.trainable_elems;
  std::int64_t end = plan.trainable_elems;
  for (const auto& each : plan.parameters)
    if (each.rule.is_trainable && each.node >= node) {
      first = std::min(first, each.offset);
      end = each.node > node ? std::min(end, each.offset) : end;
    }
  return (end - first) * 4;
}

/// Each lies right before the one ahead of it and comes later in a backward.
bool cover_once(const std::vector<gradient_bucket>& buckets,
                std::int64_t elems) {
  auto end = elems;
  int node = std::numeric_limits<int>::max();
  for (const auto& each : buckets) {
    if (each.end != end || each.first >= end || each.node >= node)
      return false;
    end = each.first;
    node = each.node;
  }
  return end == 0;
}

bool are_full(const std::vector<gradient_bucket>& buckets,
              std::int64_t bucket_bytes) {
  return std::all_of(buckets.begin(), buckets.end() - 1, [&](const auto& each) {
    return (each.end - each.first) * 4 >= bucket_bytes;
  });
}

/// The parameter is in one of them, whole, and told after its node's backward.
bool hold(const std::vector<gradient_bucket>& buckets,
          const stored_parameter& which) {
  return std::ranges::any_of(buckets, [&](const auto& each) {
    return each.first <= which.offset
           && which.offset + which.storage.elems <= each.end
           && each.node <= which.node;
  });
}

bool hold_all(const std::vector<gradient_bucket>& buckets,
              const stage_plan& plan) {
  return std::ranges::all_of(plan.parameters, [&](const auto& each) {
    return !each.rule.is_trainable || hold(buckets, each);
  });
}

void check(const stage_plan& plan, std::int64_t bucket_bytes) {
  INFO(bucket_bytes << " bytes");
  const auto buckets = plan_buckets(plan, bucket_bytes);
  REQUIRE(!buckets.empty());
  CHECK(cover_once(buckets, plan.trainable_elems));
  CHECK(are_full(buckets, bucket_bytes));
  CHECK(hold_all(buckets, plan));
}

/// Nodes 0, 1, ... of which each has a backward and the parameters given, of 16
/// elements each.
stage_plan hand_made(const std::vector<std::vector<int>>& parameters_of,
                     int parameters) {
  stage_plan made;
  for (const auto& each : parameters_of) {
    made.nodes.emplace_back();
    made.nodes.back().has_backward = true;
    made.nodes.back().parameters = each;
  }
  for (int p = 0; p < parameters; ++p) {
    auto& each = made.parameters.emplace_back();
    each.storage.elems = 16;
    each.offset = std::int64_t{16} * p;
  }
  made.trainable_elems = std::int64_t{16} * parameters;
  return made;
}

constexpr std::int64_t huge = std::int64_t{1} << 40;

} // namespace

TEST_CASE("buckets cover every stage once, in the order of the backward",
          "[program][gradient_buckets]") {
  cpu_device on{{.threads = 1}};
  struct cut_network {
    graph net;
    std::vector<std::string> until;
  };
  const std::vector<cut_network> all{
    {model("lenet", 28, 1), {}},
    {model("lenet", 28, 1), {"pool1", "fc1"}},
    {model("resnet18", 32, 3), {}},
    {model("resnet50", 32, 3), {"layer1", "layer2", "layer3"}},
    {small_network(), {"down.bn", "relu2", "relu4"}}};
  for (const auto& [net, until] : all)
    for (const auto& plan : plans_of(net, on, until)) {
      INFO(net.name);
      check(plan, 4);
      check(plan, 4096);
      check(plan, std::int64_t{1} << 20);
      check(plan, huge);
      CHECK(plan_buckets(plan, huge).size() == 1);
    }
}

TEST_CASE("buckets of four bytes are the nodes with parameters",
          "[program][gradient_buckets]") {
  cpu_device on{{.threads = 1}};
  const auto plans = plans_of(model("resnet18", 32, 3), on, {});
  std::vector<int> wanted;
  for (int i = static_cast<int>(plans[0].nodes.size()) - 1; i >= 0; --i)
    if (!plans[0].nodes[at(i)].parameters.empty())
      wanted.push_back(i);
  std::vector<int> found;
  for (const auto& each : plan_buckets(plans[0], 4))
    found.push_back(each.node);
  CHECK(found == wanted);
  CHECK(found.size() == 41); // 20 convolutions, 20 batch norms, fc
}

TEST_CASE("a layer of exactly a bucket's bytes is a bucket, of less is not",
          "[program][gradient_buckets]") {
  cpu_device on{{.threads = 1}};
  const auto plans = plans_of(model("lenet", 28, 1), on, {});
  const auto smallest = plan_buckets(plans[0], 4);
  const auto layer = bytes_of(plans[0], smallest[0].node);
  CHECK((smallest[0].end - smallest[0].first) * 4 == layer);
  CHECK(plan_buckets(plans[0], layer)[0] == smallest[0]);
  CHECK(plan_buckets(plans[0], layer + 1)[0].first == smallest[1].first);
  CHECK(plan_buckets(plans[0], layer + 1)[0].node == smallest[1].node);
}

TEST_CASE("a stage without trainable elements has no bucket",
          "[program][gradient_buckets]") {
  cpu_device on{{.threads = 1}};
  const auto plans = plans_of(small_network(), on, {"relu4", "drop"});
  CHECK(plans[1].trainable_elems == 0);
  CHECK(plan_buckets(plans[1], 4).empty());
}

TEST_CASE("a shared parameter is whole after the last of its nodes, with what "
          "lies behind it",
          "[program][gradient_buckets]") {
  // Parameter 1 is of nodes 2 and 0; 0 of node 1, 2 of node 3.
  const auto plan = hand_made({{1}, {0}, {1}, {2}}, 3);
  CHECK(plan_buckets(plan, 4)
        == std::vector<gradient_bucket>{{32, 48, 3}, {0, 32, 0}});
}

TEST_CASE("a parameter of a node without a backward waits for nothing",
          "[program][gradient_buckets]") {
  auto plan = hand_made({{0}, {1}, {2}}, 3);
  plan.nodes[0].has_backward = false;
  CHECK(plan_buckets(plan, 4)
        == std::vector<gradient_bucket>{{32, 48, 2}, {0, 32, 1}});
  plan.nodes[1].has_backward = plan.nodes[2].has_backward = false;
  CHECK(plan_buckets(plan, 4) == std::vector<gradient_bucket>{{0, 48, 2}});
}
