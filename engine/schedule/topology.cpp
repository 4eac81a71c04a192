#include "engine/schedule/topology.hpp"

#include <algorithm>

namespace pd {

namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

void insert(std::vector<int>& ascending, int stage) {
  const auto here = std::lower_bound(ascending.begin(), ascending.end(), stage);
  if (here == ascending.end() || *here != stage)
    ascending.insert(here, stage);
}

} // namespace

topology neighbours(const pipeline_shape& shape) {
  const int stages = placement{shape}.virtual_stages();
  topology made(at(stages));
  for (int stage = 0; stage + 1 < stages; ++stage) {
    made[at(stage)].downstream.push_back(stage + 1);
    made[at(stage + 1)].upstream.push_back(stage);
  }
  return made;
}

result<topology> with_skips(const pipeline_shape& shape,
                            const std::vector<std::pair<int, int>>& skips) {
  auto made = neighbours(shape);
  const auto stages = static_cast<int>(made.size());
  for (const auto& [from, to] : skips) {
    const auto edge = std::to_string(from) + " to " + std::to_string(to);
    if (from < 0 || from >= to || to >= stages)
      return error{errc::bad_value, "edge from stage " + edge
                                      + ": wanted it to " + "lead on within "
                                      + std::to_string(stages) + " stages"};
    insert(made[at(from)].downstream, to);
    insert(made[at(to)].upstream, from);
    if (made[at(from)].downstream.size() > max_links
        || made[at(to)].upstream.size() > max_links)
      return error{errc::bad_value, "edge from stage " + edge + ": wanted at "
                                      + "most " + std::to_string(max_links)
                                      + " edges at a stage"};
  }
  return made;
}

} // namespace pd
