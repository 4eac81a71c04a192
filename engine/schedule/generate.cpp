#include "engine/schedule/generate.hpp"

#include "engine/base/text.hpp"
#include "engine/schedule/depth.hpp"
#include "engine/schedule/families.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace pd {

const std::vector<family>& all_families() {
  using enum depth_rule;
  static const std::vector<family> all{
    {"model-parallel", false, false, false, fixed, model_parallel_depth,
     model_parallel_row},
    {"gpipe", true, true, false, fixed, gpipe_depth, gpipe_row},
    {"1f1b", true, true, false, search, nullptr, one_f_one_b_row},
    {"pipedream", false, false, false, search, nullptr, pipedream_row},
    {"pipedream-2bw", true, false, false, search, nullptr, double_buffer_row},
    {"interleaved", true, true, true, fixed, interleaved_depth,
     interleaved_row},
    {"zero-bubble", true, true, false, paper, zero_bubble_depth,
     zero_bubble_row},
    {"zero-bubble-2p", true, true, false, paper, zero_bubble_2p_depth,
     zero_bubble_2p_row},
  };
  return all;
}

void fill_rows(const family& how, timetable& head) {
  const placement place{head.shape};
  head.rows.clear();
  for (int worker = 0; worker < place.workers(); ++worker)
    head.rows.push_back(how.make_row(head, worker));
  if (head.vertical_sync)
    use_versions_of_first_stage(head);
}

namespace {

error refused(const std::string& schedule, const std::string& why) {
  return {errc::bad_value, schedule + ": " + why};
}

result<const family*> family_of(const std::string& name) {
  for (const auto& each : all_families())
    if (each.name == name)
      return &each;
  return error{errc::unknown_name, "schedule '" + name + "' is not known"
                                     + did_you_mean(name, schedule_names())
                                     + "; there are " + join(schedule_names())};
}

/// The least count that is a whole round on every stage.
std::int64_t least_common(const std::vector<int>& replicas) {
  std::int64_t made = 1;
  for (const int each : replicas)
    made = std::lcm(made, std::int64_t{each});
  return made;
}

result<void> check_kind(const family& how, const schedule_options& options) {
  if (how.has_chunks && options.shape.chunks < 2)
    return refused(how.name, "wanted at least 2 chunks a worker, found "
                               + std::to_string(options.shape.chunks));
  if (!how.has_chunks && options.shape.chunks != 1)
    return refused(how.name, "wanted one chunk a worker, found "
                               + std::to_string(options.shape.chunks));
  if (options.vertical_sync && how.name != "pipedream")
    return refused(how.name, "vertical_sync is pipedream's only");
  return {};
}

result<void> check_round(const family& how, const schedule_options& options) {
  const auto least = least_common(options.shape.replicas);
  const auto round = options.round;
  if (!how.has_rounds || (round >= 1 && round % least == 0))
    return {};
  const auto near = std::max(least, (round + least - 1) / least * least);
  return refused(
    how.name, "a round of " + std::to_string(round)
                + " microbatches is not shared evenly by the replicas "
                + to_string(options.shape) + "; wanted a multiple of "
                + std::to_string(least) + ", such as " + std::to_string(near));
}

/// Rounds by stage; a head that has neither microbatches nor depth.
result<timetable> head_of(const family& how, const schedule_options& options) {
  PD_CHECK(check(options.shape));
  PD_CHECK(check_kind(how, options));
  PD_CHECK(check_round(how, options));
  timetable head;
  head.schedule = how.name;
  head.vertical_sync = options.vertical_sync;
  head.shape = options.shape;
  for (const int replicas : options.shape.replicas)
    head.rounds.push_back(how.has_rounds ? options.round : replicas);
  if (how.has_chunks)
    PD_CHECK(check_interleaved(head));
  return head;
}

std::int64_t least_epoch(const timetable& head) {
  std::int64_t made = 1;
  for (const auto each : head.rounds)
    made = std::lcm(made, each);
  return made;
}

result<void> set_microbatches(timetable& head, std::int64_t count) {
  const auto least = least_epoch(head);
  head.microbatches = count;
  if (count >= 0 && count % least == 0)
    return {};
  return refused(head.schedule, std::to_string(count)
                                  + " microbatches fill no whole rounds of "
                                  + to_string(head.shape)
                                  + "; wanted a multiple of "
                                  + std::to_string(least));
}

// -- depth --------------------------------------------------------------------

/// More in flight than this would change no row: what there is to forward
/// before a flush, or before the weights that come next are needed.
std::vector<int> greatest_depth(const family& how, const timetable& head) {
  std::vector<int> made;
  for (std::size_t s = 0; s < head.rounds.size(); ++s) {
    const auto all = how.has_rounds ? head.rounds[s] : head.microbatches;
    const auto share = all / head.shape.replicas[s];
    made.push_back(static_cast<int>(
      std::clamp<std::int64_t>(share, 1, std::numeric_limits<int>::max())));
  }
  return made;
}

/// An epoch that is long enough to judge throughput by, and no longer.
std::int64_t steady_microbatches(const family& how, const timetable& head) {
  if (how.flushes)
    return std::min(head.microbatches, least_epoch(head));
  const auto least = least_epoch(head);
  const auto enough = std::int64_t{4} * placement{head.shape}.workers();
  const auto rounds = std::max<std::int64_t>(3, (enough + least - 1) / least);
  return std::min(head.microbatches, rounds * least);
}

std::vector<int> auto_depth(const family& how, const timetable& head,
                            const schedule_options& options) {
  if (how.rule != depth_rule::search)
    return how.depth(head);
  auto epoch = head;
  epoch.microbatches = steady_microbatches(how, head);
  epoch.depth = greatest_depth(how, epoch);
  return search_depth(how, epoch,
                      options.costs.empty() ? balanced_costs(head.shape)
                                            : options.costs);
}

/// Takes the user's list as far as it makes a difference.
result<void> take_depth(const family& how, timetable& head,
                        const std::vector<int>& given) {
  if (given.size() != head.rounds.size())
    return refused(how.name, "wanted a depth for each of "
                               + std::to_string(head.rounds.size())
                               + " stages, found "
                               + std::to_string(given.size()));
  const bool is_fixed = how.rule == depth_rule::fixed;
  const auto needed =
    is_fixed ? how.depth(head) : std::vector<int>(given.size(), 1);
  const auto most = is_fixed ? needed : greatest_depth(how, head);
  for (std::size_t s = 0; s < given.size(); ++s) {
    if (given[s] < needed[s])
      return refused(how.name, "stage " + std::to_string(s)
                                 + ": wanted a depth of at least "
                                 + std::to_string(needed[s]) + ", found "
                                 + std::to_string(given[s]));
    if (how.has_rounds && !how.flushes && given[s] > most[s])
      return refused(how.name, "stage " + std::to_string(s)
                                 + ": wanted a depth of at most "
                                 + std::to_string(most[s])
                                 + ", a replica's share of a round, found "
                                 + std::to_string(given[s]));
    head.depth.push_back(std::min(given[s], most[s]));
  }
  return {};
}

result<void> check_costs(const schedule_options& options) {
  const auto stages =
    static_cast<std::size_t>(placement{options.shape}.virtual_stages());
  if (options.costs.empty() || options.costs.size() == stages)
    return {};
  return refused(options.name, "wanted the costs of " + std::to_string(stages)
                                 + " virtual stages, found "
                                 + std::to_string(options.costs.size()));
}

std::string depth_text(const std::vector<int>& depth) {
  std::vector<std::string> parts;
  parts.reserve(depth.size());
  for (const int each : depth)
    parts.push_back(std::to_string(each));
  return join(parts, " ");
}

/// What is run must end.
result<void> check_ends(const timetable& all) {
  const auto run = simulate(all, balanced_costs(all.shape));
  if (run.deadlock.empty())
    return {};
  return refused(all.schedule, "depth " + depth_text(all.depth)
                                 + " deadlocks: " + to_string(run.deadlock));
}

} // namespace

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (const auto& each : all_families())
      made.push_back(each.name);
    return made;
  }();
  return names;
}

result<timetable> generate(const schedule_options& options) {
  PD_TRY(const auto* how, family_of(options.name));
  PD_TRY(auto made, head_of(*how, options));
  PD_CHECK(set_microbatches(made, options.microbatches));
  PD_CHECK(check_costs(options));
  if (options.depth.empty())
    made.depth = auto_depth(*how, made, options);
  else
    PD_CHECK(take_depth(*how, made, options.depth));
  fill_rows(*how, made);
  PD_CHECK(check_ends(made));
  return made;
}

result<timetable> generate_evaluation(const schedule_options& options) {
  PD_CHECK(check(options.shape));
  timetable made;
  made.schedule = "evaluation";
  made.shape = options.shape;
  made.microbatches = options.microbatches;
  made.rounds.assign(options.shape.replicas.begin(),
                     options.shape.replicas.end());
  made.depth =
    options.depth.empty() ? evaluation_depth(options.shape) : options.depth;
  if (made.microbatches < 0 || made.depth.size() != made.rounds.size()
      || *std::min_element(made.depth.begin(), made.depth.end()) < 1)
    return refused("evaluation", "wanted microbatches, and a depth of at "
                                 "least 1 for each stage");
  const placement place{made.shape};
  for (int worker = 0; worker < place.workers(); ++worker)
    made.rows.push_back(evaluation_row(made, worker));
  PD_CHECK(check_ends(made));
  return made;
}

result<std::int64_t> round_microbatches(const schedule_options& options,
                                        std::int64_t available) {
  PD_TRY(const auto* how, family_of(options.name));
  PD_TRY(const auto head, head_of(*how, options));
  const auto least = least_epoch(head);
  return std::max<std::int64_t>(0, available) / least * least;
}

} // namespace pd
