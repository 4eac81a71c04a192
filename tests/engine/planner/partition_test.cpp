#include "engine/planner/partition.hpp"

#include "tests/engine/planner/brute_force.hpp"
#include "tests/engine/planner/random_profile.hpp"
#include "tests/engine/planner/shipped_profiles.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace pd;
using namespace pd::test;

namespace {

/// A cluster of up to `most` workers in `levels` levels.
cluster random_cluster(random_numbers& random, int levels, int most) {
  std::vector<std::int64_t> machines;
  std::vector<double> bandwidths;
  for (int l = 0; l < levels; ++l) {
    const bool is_top = l + 1 == levels;
    machines.push_back(draw(random, 1, is_top ? most : std::max(1, most / 2)));
    most /= static_cast<int>(machines.back());
    bandwidths.push_back(1e7 * draw(random, 1, 20));
  }
  return *uniform_cluster(machines, bandwidths);
}

std::string describe(const cluster& on) {
  std::string text;
  for (const auto& each : on.levels)
    text += std::to_string(each.machines) + " ";
  return text;
}

/// The planner's objective; infinite if it says there is no plan.
double planned(const profile& of, const cluster& on, cost_model model,
               const bounds& how) {
  partition_options options;
  options.model = model;
  options.schedule = {how.schedule, how.microbatches, how.recompute};
  options.is_straight = how.is_straight;
  options.memory_bytes = how.memory_bytes;
  const auto made = find_partition(of, on, options);
  if (made)
    return made->objective_s;
  INFO(made.failure().message);
  REQUIRE(made.failure().code == errc::bad_value);
  return std::numeric_limits<double>::infinity();
}

void check_same(double got, double wanted) {
  if (std::isinf(wanted))
    CHECK(std::isinf(got));
  else
    CHECK(got == Approx(wanted).epsilon(1e-9));
}

/// A bound that some plans hold and others do not.
double random_memory(random_numbers& random, const profile& of) {
  const amounts sums{of};
  const bounds how;
  const double all = held_bytes(sums, how, {0, sums.all(), 0, 1}, 1);
  return all * draw(random, 3, 12) / 10;
}

partition plan_of(const profile& of, const cluster& on,
                  const partition_options& options) {
  auto made = find_partition(of, on, options);
  INFO((made ? "" : made.failure().message));
  REQUIRE(made);
  return *std::move(made);
}

std::string name_of(const profile& of, int node) {
  return of.nodes[static_cast<std::size_t>(node)].name;
}

partition_options pipedream() {
  partition_options made;
  made.model = cost_model::pipedream;
  return made;
}

// -- costs of a whole plan, once more, from its nodes
// --------------------------

struct recosted {
  double compute_s = 0;
  double parameters = 0;
  double in = 0;
  double out = 0;
};

using node_flags = std::vector<bool>;

/// comes_from[i][k]: a way leads from k to i.
std::vector<node_flags> find_ways(const profile& of) {
  const auto nodes = of.nodes.size();
  std::vector<node_flags> comes_from(nodes, node_flags(nodes));
  for (std::size_t i = 0; i < nodes; ++i)
    for (const int input : of.nodes[i].inputs) {
      const auto from = static_cast<std::size_t>(input);
      comes_from[i][from] = true;
      for (std::size_t k = 0; k < from; ++k)
        comes_from[i][k] = comes_from[i][k] || comes_from[from][k];
    }
  return comes_from;
}

/// The nodes of `before` that nodes behind it take of; those that none in it
/// takes of.
std::pair<node_flags, node_flags> find_border(const profile& of,
                                              const node_flags& before,
                                              const node_flags& counts) {
  node_flags leaves(before.size());
  auto last = before;
  for (std::size_t i = 0; i < before.size(); ++i)
    for (const int input : of.nodes[i].inputs) {
      const auto from = static_cast<std::size_t>(input);
      if (counts[i] && before[from])
        (before[i] ? last : leaves)[from] = !before[i];
    }
  return {leaves, last};
}

/// PipeDream's antichain: the last ones, and who leads to one of them and past
/// it.
node_flags find_antichain(const profile& of, const node_flags& last,
                          const node_flags& counts,
                          const std::vector<node_flags>& comes_from) {
  auto found = last;
  for (std::size_t end = 0; end < last.size(); ++end)
    for (std::size_t i = 0; last[end] && i < last.size(); ++i)
      for (const int input : of.nodes[i].inputs) {
        const auto from = static_cast<std::size_t>(input);
        if (counts[i] && comes_from[end][from] && counts[from] && i != end
            && !comes_from[end][i])
          found[from] = true;
      }
  return found;
}

double bytes_of(const profile& of, const node_flags& nodes) {
  double bytes = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    bytes += nodes[i] ? output_bytes(of.nodes[i]) : 0;
  return bytes;
}

/// Adds a stage to what is before it; no stage has a node again, or one before
/// what it takes.
recosted add_stage(const profile& of, const planned_stage& stage,
                   const node_flags& counts, node_flags& before) {
  recosted made;
  bool is_sound = true;
  for (const int node : stage.nodes) {
    const auto i = static_cast<std::size_t>(node);
    made.compute_s += compute_us(of.nodes[i]) * 1e-6;
    made.parameters += of.nodes[i].parameter_bytes;
    is_sound = is_sound && !before[i];
    before[i] = true;
    for (const int input : of.nodes[i].inputs) {
      const auto from = static_cast<std::size_t>(input);
      is_sound = is_sound && before[from] == counts[from];
    }
  }
  CHECK(is_sound);
  return made;
}

std::vector<recosted> recost(const profile& of, const partition& from,
                             bool as_pipedream) {
  const auto ways = find_ways(of);
  node_flags before(of.nodes.size());
  node_flags counts(of.nodes.size());
  for (const auto& stage : from.stages)
    for (const int node : stage.nodes)
      counts[static_cast<std::size_t>(node)] = true;
  std::vector<recosted> made;
  for (const auto& stage : from.stages) {
    auto each = add_stage(of, stage, counts, before);
    each.in = made.empty() ? 0 : made.back().out;
    const auto [leaves, last] = find_border(of, before, counts);
    if (before != counts)
      each.out = bytes_of(
        of, as_pipedream ? find_antichain(of, last, counts, ways) : leaves);
    made.push_back(each);
  }
  CHECK(before == counts);
  return made;
}

double pipedream_objective(const profile& of, const partition& from, double b) {
  const auto stages = recost(of, from, true);
  double slowest = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& each = stages[i];
    const double m = from.stages[i].replicas;
    slowest = std::max(
      slowest, (each.compute_s + 4 * (m - 1) * each.parameters / (b * m)) / m);
    if (i > 0)
      slowest =
        std::max({slowest, 2 * each.in / (b * m), 2 * each.out / (b * m)});
  }
  return slowest;
}

double engine_objective(const profile& of, const partition& from, double b) {
  const auto stages = recost(of, from, false);
  double slowest = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& each = stages[i];
    const double r = from.stages[i].replicas;
    slowest = std::max({slowest, each.compute_s / r,
                        2 * (r - 1) / r * each.parameters / b / r,
                        (each.in + each.out) / b / r});
  }
  return slowest;
}

double slowest_part(const partition& of, cost_model model) {
  double slowest = 0;
  for (const auto& each : of.stages) {
    const auto& t = each.time;
    const double work = model == cost_model::engine
                          ? std::max(t.compute_s, t.sync_s)
                          : t.compute_s + t.sync_s;
    slowest = std::max({slowest, work, t.send_s});
  }
  return slowest;
}

} // namespace

// -- against all plans there are ----------------------------------------------

TEST_CASE("no plan has a better objective: pipedream's model",
          "[planner][partition]") {
  random_numbers random{11};
  for (int i = 0; i < 120; ++i) {
    const auto of =
      random_profile(random, draw(random, 1, 7), draw(random, 0, 3));
    const auto on = random_cluster(random, 1, 6);
    bounds how;
    how.is_straight = i % 4 == 3;
    if (i % 2 == 1)
      how.memory_bytes = random_memory(random, of);
    INFO(i << ": workers " << describe(on));
    check_same(planned(of, on, cost_model::pipedream, how),
               best_pipedream(of, on, how));
  }
}

TEST_CASE("no plan has a better objective: pipedream's model on levels",
          "[planner][partition]") {
  random_numbers random{12};
  for (int i = 0; i < 120; ++i) {
    const auto of =
      random_profile(random, draw(random, 1, 7), draw(random, 0, 3));
    const auto on = random_cluster(random, i % 3 == 0 ? 3 : 2, 6);
    bounds how;
    how.is_straight = i % 4 == 3;
    INFO(i << ": workers " << describe(on));
    check_same(planned(of, on, cost_model::pipedream, how),
               best_pipedream(of, on, how));
  }
}

TEST_CASE("no plan has a better objective: the engine's model",
          "[planner][partition]") {
  random_numbers random{13};
  for (int i = 0; i < 160; ++i) {
    const auto of =
      random_profile(random, draw(random, 1, 7), draw(random, 0, 3));
    auto on = random_cluster(random, draw(random, 1, 3), 6);
    bounds how;
    how.is_straight = i % 4 == 3;
    if (i % 2 == 1)
      how.memory_bytes = random_memory(random, of);
    if (i % 3 == 0)
      for (auto& each : on.workers)
        each.speed = 0.5 * draw(random, 1, 4);
    INFO(i << ": workers " << describe(on));
    check_same(planned(of, on, cost_model::engine, how),
               best_engine(of, on, how));
  }
}

TEST_CASE("no plan has a better objective: every schedule, recomputed or not",
          "[planner][partition]") {
  random_numbers random{14};
  for (const auto* name : {"pipedream", "pipedream-2bw", "1f1b", "gpipe",
                           "zero-bubble", "zero-bubble-2p"})
    for (int i = 0; i < 20; ++i) {
      const auto of = random_profile(random, 6, draw(random, 0, 2));
      auto on = random_cluster(random, draw(random, 1, 2), 5);
      for (auto& each : on.workers)
        if (i % 3 == 0)
          each.memory_bytes = random_memory(random, of);
      bounds how;
      how.schedule = name;
      how.recompute = i % 2 == 0;
      how.memory_bytes = random_memory(random, of);
      if (how.schedule != "pipedream")
        how.microbatches = draw(random, 1, 8);
      INFO(name << " " << i << ": workers " << describe(on));
      check_same(planned(of, on, cost_model::engine, how),
                 best_engine(of, on, how));
    }
}

TEST_CASE("no plan has a better objective: eight nodes, six workers",
          "[planner][partition][slow]") {
  random_numbers random{15};
  for (int i = 0; i < 10; ++i) {
    const auto of = random_profile(random, 8, 2);
    const auto on =
      *uniform_cluster(std::vector<std::int64_t>{6}, std::vector<double>{5e7});
    check_same(planned(of, on, cost_model::pipedream, {}),
               best_pipedream(of, on, {}));
    check_same(planned(of, on, cost_model::engine, {}),
               best_engine(of, on, {}));
  }
}

// -- the shipped profiles -----------------------------------------------------

TEST_CASE("the stages of a plan give its objective, on every shipped profile",
          "[planner][partition]") {
  for (const auto& path : shipped_profiles()) {
    const auto of = shipped_profile(path);
    const bool is_wide =
      path.find("nasnet") != path.npos || path.find("inception") != path.npos;
    if (is_wide)
      continue; // thousands of cuts: that would take long
    for (const std::int64_t workers : {2, 4, 16})
      for (const double b : {1e8, 1e9, 1e10}) {
        INFO(path << " on " << workers << " at " << b);
        const auto on = *uniform_cluster(std::vector{workers}, std::vector{b});
        const auto published = plan_of(of, on, pipedream());
        CHECK(pipedream_objective(of, published, b)
              == Approx(published.objective_s).epsilon(1e-9));
        const auto ours = plan_of(of, on, {});
        CHECK(engine_objective(of, ours, b)
              == Approx(ours.objective_s).epsilon(1e-9));
        CHECK(ours.objective_s <= ours.dp_objective_s);
        CHECK(published.objective_s <= published.dp_objective_s);
      }
  }
}

TEST_CASE("VGG-16 on 4 machines is 3-1 from node19 on, as it was shipped",
          "[planner][partition]") {
  const auto of = shipped_profile("/vgg16/");
  if (of.nodes.empty())
    return;
  const auto on =
    *uniform_cluster(std::vector<std::int64_t>{4}, std::vector{1e9});
  for (const auto& options : {pipedream(), partition_options{}}) {
    const auto made = plan_of(of, on, options);
    REQUIRE(made.stages.size() == 2);
    CHECK(made.stages[0].replicas == 3);
    CHECK(made.stages[1].replicas == 1);
    CHECK(name_of(of, made.stages[1].nodes.front()) == "node19");
    CHECK(name_of(of, made.stages[1].nodes.back()) == "node41");
  }
}

TEST_CASE("GNMT on 4 machines is straight, as it was shipped",
          "[planner][partition]") {
  const auto of = shipped_profile("/gnmt/");
  if (of.nodes.empty())
    return;
  const auto on =
    *uniform_cluster(std::vector<std::int64_t>{4}, std::vector{1e9});
  const auto made = plan_of(of, on, pipedream());
  REQUIRE(made.stages.size() == 4);
  for (const auto& each : made.stages)
    CHECK(each.replicas == 1);
}

TEST_CASE("VGG-16 on 4 servers of 4 over 10 Gb/s is 15-1, as in the paper",
          "[planner][partition]") {
  const auto of = shipped_profile("/vgg16/");
  if (of.nodes.empty())
    return;
  const auto on = *uniform_cluster(std::vector<std::int64_t>{4, 4},
                                   std::vector{10e9, 1.25e9});
  const auto made = plan_of(of, on, {});
  REQUIRE(made.stages.size() == 2);
  CHECK(made.stages[0].replicas == 15);
  CHECK(made.stages[1].replicas == 1);
}

TEST_CASE("the parts of stages on levels give the objective",
          "[planner][partition]") {
  const auto* part = GENERATE("/vgg16/", "/gnmt/", "/alexnet/", "/resnet18/");
  const auto options = GENERATE(pipedream(), partition_options{});
  const auto of = shipped_profile(part);
  if (of.nodes.empty())
    return;
  const auto on =
    *uniform_cluster(std::vector<std::int64_t>{4, 3}, std::vector{1e10, 1e9});
  const auto made = plan_of(of, on, options);
  CHECK(slowest_part(made, options.model)
        == Approx(made.objective_s).epsilon(1e-12));
  int workers = 0;
  for (const auto& each : made.stages) {
    workers += each.replicas;
    const auto& levels = each.replicas_by_level;
    CHECK(
      each.replicas
      == std::accumulate(levels.begin(), levels.end(), 1, std::multiplies<>{}));
  }
  CHECK(workers <= 12);
  if (options.model == cost_model::pipedream)
    CHECK(workers == 12);
}

// -- bounds -------------------------------------------------------------------

TEST_CASE("the least memory that an error names is enough, and a byte less is "
          "not",
          "[planner][partition]") {
  random_numbers random{16};
  for (int i = 0; i < 20; ++i) {
    const auto of = random_profile(random, 6, 2);
    const auto on = random_cluster(random, 1, 4);
    partition_options options;
    if (i % 2 == 0)
      options = pipedream();
    options.memory_bytes = 1;
    const auto none = find_partition(of, on, options);
    REQUIRE_FALSE(none);
    const std::string before = "the least that is enough is ";
    const auto& text = none.failure().message;
    REQUIRE(text.find(before) != text.npos);
    options.memory_bytes =
      std::stod(text.substr(text.find(before) + before.size()));
    const auto made = plan_of(of, on, options);
    for (const auto& each : made.stages)
      CHECK(each.memory_bytes <= options.memory_bytes);
    options.memory_bytes -= 1;
    CHECK_FALSE(find_partition(of, on, options));
  }
}

TEST_CASE("a plan says whether data parallelism would fit",
          "[planner][partition]") {
  random_numbers random{17};
  const auto of = random_profile(random, 8, 0);
  auto on = *uniform_cluster(std::vector<std::int64_t>{4}, std::vector{1e9});
  partition_options options;
  const auto free = plan_of(of, on, options);
  CHECK(free.dp_fits);
  options.memory_bytes = free.dp_memory_bytes - 1;
  CHECK_FALSE(plan_of(of, on, options).dp_fits);
  options.memory_bytes = 0;
  on.workers[2].memory_bytes = free.dp_memory_bytes - 1;
  for (const auto model : {cost_model::engine, cost_model::pipedream}) {
    options.model = model;
    CHECK_FALSE(plan_of(of, on, options).dp_fits);
  }
}

TEST_CASE("one worker a stage wants as many places to cut",
          "[planner][partition]") {
  random_numbers random{18};
  const auto of = random_profile(random, 3, 0);
  const auto on =
    *uniform_cluster(std::vector<std::int64_t>{4}, std::vector{1e9});
  auto options = pipedream();
  options.is_straight = true;
  const auto none = find_partition(of, on, options);
  REQUIRE_FALSE(none);
  CHECK(none.failure().message
        == "machines: wanted at most one for each of the 3 places to cut, a "
           "worker a stage, got 4");
  options.model = cost_model::engine; // leaves one out
  CHECK(plan_of(of, on, options).stages.size() <= 3);
}

TEST_CASE("pipedream's model refuses what it does not know",
          "[planner][partition]") {
  random_numbers random{19};
  const auto of = random_profile(random, 3, 0);
  auto on =
    *uniform_cluster(std::vector<std::int64_t>{2, 2}, std::vector{1e9, 1e8});
  auto options = pipedream();
  options.memory_bytes = 1e12;
  CHECK(find_partition(of, on, options).failure().code == errc::not_supported);
  options.memory_bytes = 0;
  CHECK(find_partition(of, on, options));
  on.workers[2].speed = 2;
  CHECK(find_partition(of, on, options).failure().code == errc::not_supported);
}

TEST_CASE("a slow worker at the end gets the least work",
          "[planner][partition]") {
  random_numbers random{20};
  auto of = random_profile(random, 8, 0);
  for (auto& each : of.nodes) {
    each.forward.us = 1000;
    each.backward_input.us = 0;
    each.backward_weight.us = 0;
    each.update.us = 0;
    each.activation_bytes = {1};
    each.parameter_bytes = 1e9; // no replicas
  }
  auto on = *uniform_cluster(std::vector<std::int64_t>{3}, std::vector{1e9});
  on.workers[2].speed = 1.0 / 3;
  const auto made = plan_of(of, on, {});
  REQUIRE(made.stages.size() == 3);
  CHECK(made.stages[2].nodes.size() == 1);
}
