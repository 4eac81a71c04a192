#include "tools/pd_engine/simulated_job.hpp"

#include "engine/base/text.hpp"
#include "engine/job/cluster_file.hpp"
#include "engine/job/job_file.hpp"
#include "engine/planner/profile_file.hpp"
#include "engine/schedule/generate.hpp"
#include "engine/train/job_load.hpp"
#include "engine/train/session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace pd {

namespace {

// -- the network -------------------------------------------------------------

/// "4" or "4,2": numbers above (or from) `least`.
result<std::vector<double>> parse_numbers(const std::string& option,
                                          const std::string& text,
                                          double least) {
  std::vector<double> made;
  for (const auto& part : split(text, ',')) {
    double value = 0;
    const auto* end = part.data() + part.size();
    const auto read = std::from_chars(part.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || !std::isfinite(value)
        || value < least)
      return error{errc::bad_value,
                   fmt::format("{}: wanted numbers from {} on with commas "
                               "between, got '{}'",
                               option, least, text)};
    made.push_back(value);
  }
  return made;
}

/// One value for all levels, or one each.
result<double> at_level(const std::string& option,
                        const std::vector<double>& all, std::size_t level,
                        std::size_t levels) {
  if (all.size() != 1 && all.size() != levels)
    return error{errc::bad_value,
                 fmt::format("{}: wanted {} values, one a level of --machines, "
                             "got {}",
                             option, levels, all.size())};
  return all.size() == 1 ? all[0] : all[level];
}

/// Equal workers, from the options.
result<cluster> parse_cluster_options(const simulate_arguments& given) {
  if (given.machines.empty() || given.bandwidth.empty())
    return error{errc::bad_value,
                 "simulate: wanted --machines and --bandwidth together, or "
                 "--cluster, or none of them: free links"};
  PD_TRY(const auto machines, parse_numbers("--machines", given.machines, 1));
  PD_TRY(const auto bandwidth,
         parse_numbers("--bandwidth", given.bandwidth, 0));
  PD_TRY(
    const auto latency,
    parse_numbers("--latency", given.latency.empty() ? "0" : given.latency, 0));
  std::vector<std::int64_t> counts;
  std::vector<double> by_level;
  for (std::size_t l = 0; l < machines.size(); ++l) {
    counts.push_back(std::llround(std::min(machines[l], 1e9)));
    PD_TRY(by_level.emplace_back(),
           at_level("--bandwidth", bandwidth, l, machines.size()));
  }
  auto made = uniform_cluster(counts, by_level);
  if (!made)
    return made.failure().within("--machines, --bandwidth");
  for (std::size_t l = 0; l < machines.size(); ++l) {
    PD_TRY(made->levels[l].latency_s,
           at_level("--latency", latency, l, machines.size()));
  }
  return made;
}

// -- a job -------------------------------------------------------------------

constexpr std::int64_t most_actions = 6'000'000; // that a default simulates

/// Enough for the pipeline to be full for a while: whole rounds of every stage.
std::int64_t enough_microbatches(const std::string& schedule,
                                 const pipeline_shape& shape,
                                 std::int64_t round) {
  const placement place{shape};
  const std::int64_t in_flight =
    schedule == "pipedream" ? std::int64_t{5} * place.workers() / 2 : 0;
  const auto most = most_actions / 3 / place.virtual_stages();
  const auto rounds = place.virtual_stages() == 1 ? 3 : 6; // nothing to fill
  const auto wanted = std::min(std::max(in_flight, rounds * round), most);
  return std::max<std::int64_t>(3, (wanted + round - 1) / round) * round;
}

double total_bytes(const std::vector<memory_item>& items) {
  const auto add = [](double sum, const memory_item& each) {
    return sum + static_cast<double>(each.bytes);
  };
  return std::accumulate(items.begin(), items.end(), 0.0, add);
}

/// The job's timetable, of fewer microbatches if so many tell no more.
result<std::shared_ptr<const timetable>>
rows_of(const deployment& whole, const simulate_arguments& given,
        const registry& ops) {
  auto some = whole.what;
  some.train.max_microbatches =
    given.microbatches > 0
      ? given.microbatches
      : enough_microbatches(whole.training->schedule, whole.how.shape,
                            common_round(*whole.training));
  if (!some.schedule.file.empty()
      || some.train.max_microbatches >= whole.training->microbatches)
    return whole.training;
  PD_TRY(auto fewer, deploy(some, whole.sizes, ops));
  return std::move(fewer.training);
}

result<simulated_job> open_job(const simulate_arguments& given,
                               const registry& ops) {
  PD_TRY(const auto from, read_profile(given.profile));
  PD_TRY(const auto what, load_job(given.which.path, given.which.overrides));
  PD_TRY(const auto data, open_data(what));
  PD_TRY(const auto whole, deploy(what, data.sizes(), ops));
  if (!whole.training)
    return error{errc::bad_value, "train.epochs is 0: there is no schedule"};
  PD_TRY(auto load, load_of_job(whole, from.nodes, ops));
  simulated_job made;
  made.name = what.name;
  PD_TRY(made.rows, rows_of(whole, given, ops));
  made.links = whole.links;
  made.loads = std::move(load.loads);
  made.epoch_microbatches = whole.epoch_microbatches;
  made.pass_microbatches = whole.training->microbatches;
  for (const auto& each : load.memory)
    made.memory_bytes.push_back(total_bytes(each));
  return made;
}

// -- a profile ---------------------------------------------------------------

/// So many in flight at a stage as there are workers from it on, over its
/// replicas: PipeDream's own formula. But no more than a round has.
std::vector<int> usual_depth(const simulate_arguments& given,
                             const pipeline_shape& shape) {
  std::vector<int> made(shape.replicas.size());
  int workers = 0;
  for (auto s = made.size(); s-- > 0;) {
    const int replicas = shape.replicas[s];
    workers += replicas;
    made[s] = (workers + replicas - 1) / replicas;
    if (given.schedule != "pipedream")
      made[s] = static_cast<int>(
        std::clamp<std::int64_t>(given.round / replicas, 1, made[s]));
  }
  return made;
}

/// Empty: generate() finds one, which takes long for many workers.
result<std::vector<int>> parse_depth(const simulate_arguments& given,
                                     const pipeline_shape& shape) {
  constexpr int searched_workers = 32;
  const std::array searched{"pipedream", "1f1b", "pipedream-2bw"};
  if (!given.depth.empty()) {
    PD_TRY(const auto numbers, parse_numbers("--depth", given.depth, 1));
    return std::vector<int>(numbers.begin(), numbers.end());
  }
  const bool is_searched =
    std::ranges::find(searched, given.schedule) != searched.end();
  return is_searched && placement{shape}.workers() > searched_workers
           ? usual_depth(given, shape)
           : std::vector<int>{};
}

/// The microbatches of a round of every stage.
result<std::int64_t> round_of(const schedule_options& how) {
  std::int64_t made = 0;
  for (std::int64_t few = 1; made == 0; few *= 2) {
    PD_TRY(made, round_microbatches(how, few));
  }
  return made;
}

result<timetable> make_rows(const simulate_arguments& given,
                            const pipeline_shape& shape) {
  schedule_options how;
  how.name = given.schedule;
  how.shape = shape;
  how.round = given.round;
  PD_TRY(how.depth, parse_depth(given, shape));
  PD_TRY(const auto round, round_of(how));
  const auto wanted = given.microbatches > 0
                        ? given.microbatches
                        : enough_microbatches(how.name, shape, round);
  PD_TRY(how.microbatches, round_microbatches(how, wanted));
  if (how.microbatches == 0)
    return error{errc::bad_value,
                 fmt::format("--microbatches: wanted at least {}, a round of "
                             "every stage, got {}",
                             round, given.microbatches)};
  return generate(how);
}

result<simulated_job> open_profile(const simulate_arguments& given) {
  PD_TRY(const auto from, read_profile(given.which.path));
  PD_TRY(const auto stages, parse_stages(from.nodes, given.stages));
  simulated_job made;
  made.name = from.nodes.network;
  PD_TRY(made.cut, cut_profile(from.nodes, stages, given.bucket_bytes));
  PD_TRY(auto rows, make_rows(given, made.cut->shape));
  made.rows = std::make_shared<const timetable>(std::move(rows));
  made.links = made.cut->links;
  made.loads = made.cut->loads;
  return made;
}

} // namespace

result<fabric> find_fabric(const simulate_arguments& given) {
  const auto how = reductions.at(given.reduction);
  if (!given.cluster.empty()) {
    PD_TRY(const auto read, load_cluster(given.cluster));
    return fabric_of(read.machines, how);
  }
  if (given.machines.empty() && given.bandwidth.empty()
      && given.latency.empty())
    return fabric{};
  PD_TRY(const auto equal, parse_cluster_options(given));
  return fabric_of(equal, how);
}

result<simulated_job> open_simulated(const simulate_arguments& given,
                                     const registry& ops) {
  if (!given.profile.empty() && given.stages.empty())
    return open_job(given, ops);
  if (given.profile.empty() && !given.stages.empty())
    return open_profile(given);
  return error{errc::bad_value,
               "simulate: wanted JOB --profile PROFILE, or PROFILE --stages "
               "STAGES"};
}

} // namespace pd
