/// PipeDream: 1F1B without a flush, an update after each backward of all
/// replicas. A forward uses the newest weights, its backward the same ones
/// (weight stashing). With vertical sync all stages use, for a microbatch,
/// what stage 0 used. Paper: SOSP'19, section 3.3 (arXiv 1806.03377).

#include "engine/schedule/families.hpp"
#include "engine/schedule/newest_versions.hpp"
#include "engine/schedule/row_maker.hpp"

namespace pd {

row pipedream_row(const timetable& head, int worker) {
  row_maker made{head, worker};
  std::int64_t newest = 0;
  std::vector<std::int64_t> stashed;
  one_f_one_b(
    made.locals(), made.depth(),
    [&](std::int64_t i) {
      stashed.push_back(newest);
      made.add(act::forward, i, newest);
    },
    [&](std::int64_t i) {
      made.add(act::backward, i, stashed[static_cast<std::size_t>(i)]);
      made.update(++newest);
    });
  return made.take();
}

namespace {

/// By microbatch: how many microbatches stage 0's version of it holds.
std::vector<std::int64_t> applied_at_first_stage(const timetable& all) {
  std::vector<std::int64_t> made(static_cast<std::size_t>(all.microbatches));
  for (int worker = 0; worker < all.shape.replicas[0]; ++worker)
    for (const auto& each : all.rows[static_cast<std::size_t>(worker)])
      if (each.kind == act::forward)
        made[static_cast<std::size_t>(each.index)] =
          each.version * all.rounds[0];
  return made;
}

} // namespace

void use_versions_of_first_stage(timetable& all) {
  const placement place{all.shape};
  const auto applied = applied_at_first_stage(all);
  std::vector<std::int64_t> used(applied.size());
  for (int worker = 0; worker < place.workers(); ++worker) {
    const auto stage = static_cast<std::size_t>(place.stage_of(worker));
    newest_versions newest;
    for (auto& each : all.rows[static_cast<std::size_t>(worker)]) {
      newest.pass(each);
      if (each.kind == act::update)
        continue;
      const auto k = static_cast<std::size_t>(each.index);
      if (each.kind == act::forward)
        used[k] = std::min(newest.of(0), applied[k] / all.rounds[stage]);
      each.version = used[k];
    }
  }
}

} // namespace pd
