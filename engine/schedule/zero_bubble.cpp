/// Zero bubble: the halves of a backward apart, so that weight gradients fill
/// what would be a bubble.
///
/// A worker forwards `warm` microbatches, then goes I, W, F by turns; W is
/// `depth - warm` microbatches behind I, so `depth` are in flight. ZB-H1 keeps
/// as many in flight on every worker as 1F1B on the first; ZB-H2 ("2p") as
/// many as leave no bubble at all when the halves cost the same.
///
/// With replicas the papers' counts of stages become counts of workers: stages
/// that keep pace take their replicas' number times as long.
/// Paper: arXiv 2401.10241, section 2.

#include "engine/schedule/families.hpp"
#include "engine/schedule/row_maker.hpp"

#include <numeric>

namespace pd {

namespace {

int workers_from(const timetable& head, std::size_t stage) {
  const auto& replicas = head.shape.replicas;
  return std::accumulate(replicas.begin() + static_cast<std::ptrdiff_t>(stage),
                         replicas.end(), 0);
}

/// count / replicas of the stage, rounded up, within a round's share.
int a_replica(const timetable& head, std::size_t stage, int count) {
  const int replicas = head.shape.replicas[stage];
  const auto share = head.rounds[stage] / replicas;
  const auto made = (count + replicas - 1) / replicas;
  return static_cast<int>(std::min<std::int64_t>(made, share));
}

/// I, W `delay` microbatches behind it, and the next F.
row row_of(const timetable& head, int worker, std::int64_t warm) {
  row_maker made{head, worker};
  warm = std::min({warm, made.depth(), made.share()});
  const auto delay = made.depth() - warm;
  for (std::int64_t round = 0; round < made.rounds(); ++round) {
    const auto count = made.share();
    const auto add = [&](act kind, std::int64_t i) {
      if (i >= 0 && i < count)
        made.add(kind, round * count + i, round);
    };
    for (std::int64_t i = 0; i < warm; ++i)
      add(act::forward, i);
    for (std::int64_t i = 0; i < count + delay; ++i) {
      add(act::input, i);
      add(act::weight, i - delay);
      add(act::forward, i + warm);
    }
    made.update(round + 1);
  }
  return made.take();
}

std::size_t stage_of(const timetable& head, int worker) {
  return static_cast<std::size_t>(placement{head.shape}.stage_of(worker));
}

} // namespace

std::vector<int> zero_bubble_depth(const timetable& head) {
  std::vector<int> made;
  for (std::size_t s = 0; s < head.rounds.size(); ++s)
    made.push_back(a_replica(head, s, workers_from(head, 0)));
  return made;
}

row zero_bubble_row(const timetable& head, int worker) {
  const auto stage = stage_of(head, worker);
  return row_of(head, worker,
                a_replica(head, stage, workers_from(head, stage)));
}

std::vector<int> zero_bubble_2p_depth(const timetable& head) {
  std::vector<int> made;
  for (std::size_t s = 0; s < head.rounds.size(); ++s)
    made.push_back(
      a_replica(head, s, 2 * workers_from(head, 0) - head.shape.replicas[0]));
  return made;
}

row zero_bubble_2p_row(const timetable& head, int worker) {
  const auto stage = stage_of(head, worker);
  const int warm = 2 * workers_from(head, stage) - head.shape.replicas[stage];
  return row_of(head, worker, a_replica(head, stage, warm));
}

} // namespace pd
