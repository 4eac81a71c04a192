#include "engine/schedule/timetable.hpp"

#include "engine/schedule/newest_versions.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace pd {

namespace {

result<void> check_counts(const timetable& all, int stage) {
  const auto s = static_cast<std::size_t>(stage);
  const auto where = "stage " + std::to_string(stage);
  if (all.depth[s] < 1)
    return error{errc::bad_value, where + ": wanted a depth of at least 1, "
                                    + "found " + std::to_string(all.depth[s])};
  const auto round = all.rounds[s];
  if (round < 1 || round % all.shape.replicas[s] != 0)
    return error{errc::bad_value, where + ": wanted a round that "
                                    + std::to_string(all.shape.replicas[s])
                                    + " replicas share evenly, found "
                                    + std::to_string(round)};
  if (all.microbatches % round != 0 && !is_evaluation(all))
    return error{errc::bad_value, where + ": "
                                    + std::to_string(all.microbatches)
                                    + " microbatches fill no whole rounds of "
                                    + std::to_string(round)};
  return {};
}

} // namespace

bool is_evaluation(const timetable& all) {
  return all.schedule == "evaluation";
}

bool has_equal_rounds(const timetable& all) {
  return std::ranges::count(all.rounds, all.rounds[0])
         == std::ssize(all.rounds);
}

std::int64_t common_round(const timetable& all) {
  std::int64_t whole = 1;
  for (const auto each : all.rounds)
    whole = std::lcm(whole, each);
  return whole;
}

std::int64_t versions_made(const timetable& all, int stage) {
  return all.microbatches / all.rounds[static_cast<std::size_t>(stage)];
}

std::int64_t versions_kept(const row& cells) {
  // Backwards: `oldest` is the oldest version that what follows still uses.
  std::map<int, std::int64_t> oldest;
  std::vector<std::int64_t> still(cells.size());
  for (auto i = cells.size(); i-- > 0;) {
    const auto& cell = cells[i];
    auto& least = oldest.try_emplace(cell.chunk, cell.version).first->second;
    least = std::min(least, cell.version);
    still[i] = least;
  }
  newest_versions newest;
  std::int64_t most = 1;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    newest.pass(cells[i]);
    most = std::max(most, newest.of(cells[i].chunk) - still[i] + 1);
  }
  return most;
}

result<void> check_head(const timetable& all) {
  PD_CHECK(check(all.shape));
  const auto stages = all.shape.replicas.size();
  if (all.rounds.size() != stages || all.depth.size() != stages)
    return error{errc::bad_value,
                 "wanted " + std::to_string(stages) + " rounds and depths, one "
                   + "a stage, found " + std::to_string(all.rounds.size())
                   + " and " + std::to_string(all.depth.size())};
  if (all.microbatches < 0)
    return error{errc::bad_value, "wanted no negative count of microbatches"};
  for (int stage = 0; stage < static_cast<int>(stages); ++stage)
    PD_CHECK(check_counts(all, stage));
  if (all.joint_updates && !has_equal_rounds(all))
    return error{errc::bad_value,
                 "joint_updates: wanted the same round for all stages"};
  return {};
}

} // namespace pd
