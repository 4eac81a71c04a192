/// 1F1B with a flush: each round in 1F1B order, all of it with the version at
/// its start, then the update. Paper: arXiv 2006.09503, section 3.2
/// (PipeDream-flush).

#include "engine/schedule/families.hpp"
#include "engine/schedule/row_maker.hpp"

namespace pd {

row one_f_one_b_row(const timetable& head, int worker) {
  row_maker made{head, worker};
  for (std::int64_t round = 0; round < made.rounds(); ++round) {
    const auto add = [&](act kind, std::int64_t i) {
      made.add(kind, round * made.share() + i, round);
    };
    one_f_one_b(
      made.share(), made.depth(), [&](std::int64_t i) { add(act::forward, i); },
      [&](std::int64_t i) { add(act::backward, i); });
    made.update(round + 1);
  }
  return made.take();
}

} // namespace pd
