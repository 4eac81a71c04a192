#include "engine/planner/partition.hpp"

#include "engine/base/text.hpp"
#include "engine/planner/chain_search.hpp"
#include "engine/planner/engine_costs.hpp"
#include "engine/planner/level_search.hpp"
#include "engine/planner/memory_costs.hpp"
#include "engine/planner/pipedream_costs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

namespace pd {

namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

error bad(const std::string& what) {
  return {errc::bad_value, what};
}

/// What both models' searches see.
struct problem {
  const cluster& on;
  const partition_options& options;
  plan_schedule schedule;
  cut_list cuts;

  [[nodiscard]] chain_options search(bool uses_all_workers) const {
    return {options.is_straight ? 1 : 0, uses_all_workers};
  }
};

/// A stage before what a worker holds is known.
struct placed_stage {
  chain_stage what;
  std::vector<int> replicas_by_level;
  int group = 0;
  stage_time time;
};

// -- memory -------------------------------------------------------------------

/// The bound on all workers alike; 0 for none.
double common_bound(const problem& in) {
  double least = in.options.memory_bytes;
  for (const auto& each : in.on.workers)
    if (each.memory_bytes > 0 && (least <= 0 || each.memory_bytes < least))
      least = each.memory_bytes;
  return least;
}

/// Says the least memory for which there is a plan.
error nothing_fits(const problem& in, bool uses_all_workers) {
  const memory_costs costs{in.cuts, in.schedule, in.on.size()};
  const auto least = find_chain(in.cuts, costs, in.search(uses_all_workers));
  const auto text = [](double bytes) {
    const auto whole = static_cast<std::int64_t>(std::ceil(bytes));
    return std::to_string(whole) + " bytes (" + format_bytes(whole) + ")";
  };
  if (!least)
    return bad("machines: wanted at most one for each of the "
               + std::to_string(in.cuts.size())
               + " places to cut, a worker a stage, got "
               + std::to_string(in.on.size()));
  return bad("memory: no plan fits into " + text(common_bound(in))
             + " of a worker; the least that is enough is "
             + text(least->cost));
}

// -- the engine's model -------------------------------------------------------

result<std::vector<placed_stage>> place_stages(const problem& in,
                                               const engine_costs& costs) {
  const auto found = find_chain(in.cuts, costs, in.search(false));
  if (!found)
    return nothing_fits(in, false);
  std::vector<placed_stage> made;
  for (const auto& each : found->stages)
    made.push_back({each,
                    {each.replicas},
                    static_cast<int>(made.size()),
                    costs.time_of(each.span, each.place, each.replicas)});
  return made;
}

// -- pipedream's model --------------------------------------------------------

/// A level's costs, and its search if there is a level above.
struct solved_level {
  std::unique_ptr<pipedream_costs> costs;
  std::unique_ptr<level_search> search;
};

/// Puts a stage into a stage of the level above: `around` is the time of that
/// one, on `replicas` units.
void put_into(placed_stage& inner, const stage_time& around, int replicas) {
  auto& own = inner.time;
  own.compute_s /= replicas;
  own.sync_s = own.sync_s / replicas + around.sync_s;
  own.send_s = std::max(own.send_s / replicas + around.sync_s, around.send_s);
  own.total_s = std::max(own.compute_s + own.sync_s, own.send_s);
  inner.what.replicas *= replicas;
  inner.replicas_by_level.push_back(replicas);
}

/// The stages of the lowest level that a stage of `level` consists of.
std::vector<placed_stage> open(const std::vector<solved_level>& levels,
                               int level, const chain_stage& from,
                               bool is_first) {
  const auto& costs = *levels[at(level)].costs;
  const auto time = is_first ? costs.time_of_first(from.span, from.replicas)
                             : costs.time_of(from.span, from.replicas);
  if (level == 0)
    return {{from, {from.replicas}, 0, time}};
  std::vector<placed_stage> made;
  for (const auto& each : levels[at(level - 1)].search->chain_of(from.span))
    for (auto& inner : open(levels, level - 1, each, made.empty())) {
      put_into(inner, time, from.replicas);
      made.push_back(std::move(inner));
    }
  return made;
}

/// What a search of all stages keeps.
result<void> check_room(const problem& in) {
  constexpr double most_numbers = 1 << 28; // 2 GiB
  double numbers = 0;
  for (std::size_t i = 0; i + 1 < in.on.levels.size(); ++i)
    numbers += in.on.levels[i].machines * std::pow(in.cuts.size(), 2);
  if (numbers <= most_numbers)
    return {};
  return error{errc::not_supported,
               "machines: with pipedream's model, wanted fewer on a level that "
               "is not the highest: "
                 + std::to_string(in.cuts.size())
                 + " places to cut are too many for them"};
}

std::vector<solved_level> solve_levels(const problem& in) {
  const int top = static_cast<int>(in.on.levels.size()) - 1;
  const double bound = top == 0 ? common_bound(in) : 0;
  std::vector<solved_level> made;
  for (int level = 0; level <= top; ++level) {
    const auto* below = level == 0 ? nullptr : &made.back().search->times();
    auto costs = std::make_unique<pipedream_costs>(in.cuts, in.on, level, below,
                                                   &in.schedule, bound);
    auto search = level == top ? nullptr
                               : std::make_unique<level_search>(
                                 in.cuts, *costs, in.options.is_straight);
    made.push_back({std::move(costs), std::move(search)});
  }
  return made;
}

result<std::vector<placed_stage>> place_stages(const problem& in) {
  PD_CHECK(check_room(in));
  const auto levels = solve_levels(in);
  const auto found = find_chain(in.cuts, *levels.back().costs, in.search(true));
  if (!found)
    return nothing_fits(in, true);
  std::vector<placed_stage> made;
  for (std::size_t g = 0; g < found->stages.size(); ++g)
    for (auto& each : open(levels, static_cast<int>(levels.size()) - 1,
                           found->stages[g], g == 0)) {
      each.group = static_cast<int>(g);
      made.push_back(std::move(each));
    }
  return made;
}

double data_parallel_s(const problem& in) {
  const stage_span all{-1, in.cuts.size() - 1};
  stage_time time;
  for (std::size_t level = 0; level < in.on.levels.size(); ++level) {
    span_times below{in.cuts.size()};
    below.at(all) = time.total_s;
    const pipedream_costs costs{in.cuts, in.on, static_cast<int>(level),
                                level == 0 ? nullptr : &below};
    time = costs.time_of_first(all, costs.workers());
  }
  return time.total_s;
}

// -- the whole ----------------------------------------------------------------

/// Bounds that pipedream's model knows nothing of.
result<void> check_model(const problem& in) {
  if (in.options.model == cost_model::engine)
    return {};
  const auto& first = in.on.workers[0];
  const auto has_its_speed = [&first](const cluster_worker& each) {
    return each.speed == first.speed;
  };
  if (first.speed != 1 || !std::ranges::all_of(in.on.workers, has_its_speed))
    return error{errc::not_supported,
                 "speed: pipedream's cost model knows equal workers of the "
                 "profile's speed only; wanted the engine's"};
  if (in.on.levels.size() > 1 && common_bound(in) > 0)
    return error{errc::not_supported,
                 "memory: pipedream's cost model knows a bound on one level "
                 "only; wanted the engine's"};
  return {};
}

planned_stage finish(const problem& in, placed_stage from, int first_worker) {
  planned_stage made;
  made.nodes = nodes_between(in.cuts, from.what.span.from, from.what.span.to);
  made.replicas = from.what.replicas;
  made.replicas_by_level = std::move(from.replicas_by_level);
  made.group = from.group;
  made.first_worker = first_worker;
  made.time = from.time;
  const stage_place place{in.on.size(), first_worker, made.replicas};
  made.in_flight = in_flight(in.schedule, place);
  made.versions = versions(in.schedule, made.in_flight);
  made.memory_bytes = memory_of(in.cuts, in.schedule, from.what.span, place);
  return made;
}

partition finish(const problem& in, std::vector<placed_stage> stages) {
  partition made;
  int place = in.on.size();
  for (const auto& each : stages)
    place -= each.what.replicas;
  for (auto& each : stages) {
    const int replicas = each.what.replicas;
    made.stages.push_back(finish(in, std::move(each), place));
    made.objective_s =
      std::max(made.objective_s, made.stages.back().time.total_s);
    place += replicas;
  }
  const stage_span all{-1, in.cuts.size() - 1};
  made.dp_memory_bytes =
    memory_of(in.cuts, in.schedule, all, {in.on.size(), 0, in.on.size()});
  const double bound = common_bound(in);
  made.dp_fits = bound <= 0 || made.dp_memory_bytes <= bound;
  made.schedule = in.schedule;
  made.cuts = in.cuts.size();
  made.kept_in_order = in.cuts.kept_in_order;
  return made;
}

} // namespace

result<partition> find_partition(const profile& of, const cluster& on,
                                 const partition_options& options) {
  PD_CHECK(of.validate());
  PD_CHECK(on.validate());
  problem in{on, options, {}, {}};
  PD_TRY(in.schedule, resolve(options.schedule, on.size()));
  PD_CHECK(check_model(in));
  PD_TRY(in.cuts, find_cuts(of, options.rule));
  const stage_span all{-1, in.cuts.size() - 1};
  if (options.model == cost_model::pipedream) {
    PD_TRY(auto stages, place_stages(in));
    auto made = finish(in, std::move(stages));
    made.dp_objective_s = data_parallel_s(in);
    return made;
  }
  const engine_costs costs{in.cuts, on, in.schedule, options.memory_bytes};
  PD_TRY(auto stages, place_stages(in, costs));
  auto made = finish(in, std::move(stages));
  made.dp_objective_s = costs.time_of(all, 0, on.size()).total_s;
  return made;
}

} // namespace pd
