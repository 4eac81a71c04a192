/// GPipe: all forwards of a round, then all its backwards, then the update.
/// Backwards go in the order of the forwards, so that gradients add up as on
/// one worker that accumulates. Paper: arXiv 1811.06965, section 2.3.

#include "engine/schedule/families.hpp"

namespace pd {

std::vector<int> gpipe_depth(const timetable& head) {
  std::vector<int> made;
  for (std::size_t s = 0; s < head.rounds.size(); ++s)
    made.push_back(static_cast<int>(head.rounds[s] / head.shape.replicas[s]));
  return made;
}

row gpipe_row(const timetable& head, int worker) {
  return one_f_one_b_row(head, worker); // whose depth is the whole round
}

} // namespace pd
