/// PipeDream-2BW: 1F1B without a flush, an update after each round, two
/// versions of the weights. Round t uses version t - 1, the first round
/// version 0: the newest one that is sure to be there when the round's first
/// microbatch comes, as long as a round has `depth` microbatches on a replica.
/// Paper: arXiv 2006.09503, section 3.1.

#include "engine/schedule/families.hpp"
#include "engine/schedule/row_maker.hpp"

namespace pd {

row double_buffer_row(const timetable& head, int worker) {
  row_maker made{head, worker};
  const auto add = [&](act kind, std::int64_t i) {
    const auto round = i / made.share();
    made.add(kind, i, std::max<std::int64_t>(0, round - 1));
  };
  one_f_one_b(
    made.locals(), made.depth(), [&](std::int64_t i) { add(act::forward, i); },
    [&](std::int64_t i) {
      add(act::backward, i);
      if ((i + 1) % made.share() == 0)
        made.update((i + 1) / made.share());
    });
  return made.take();
}

} // namespace pd
