#include "tests/engine/planner/random_profile.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace pd::test {

int draw(random_numbers& from, int least, int most) {
  return least
         + static_cast<int>(from() % static_cast<unsigned>(most - least + 1));
}

profile random_profile(random_numbers& from, int nodes, int edges) {
  profile made;
  made.network = "random";
  for (int i = 0; i < nodes; ++i) {
    profiled_node each;
    each.name = "n" + std::to_string(i);
    each.description = "op";
    std::set<int> inputs;
    if (i > 0 && edges == 0)
      inputs.insert(i - 1);
    for (int e = draw(from, 1, std::max(1, edges)); i > 0 && e > 0; --e)
      if (edges > 0)
        inputs.insert(draw(from, 0, i - 1));
    each.inputs.assign(inputs.begin(), inputs.end());
    each.forward.us = 1e5 * draw(from, 0, 9);
    each.backward_input.us = 1e5 * draw(from, 0, 9);
    each.backward_weight.us = 1e5 * draw(from, 0, 9);
    each.update.us = 1e5 * std::max(0, draw(from, -5, 5));
    each.activation_bytes = {1e6 * draw(from, 0, 20)};
    each.parameter_bytes = 1e6 * std::max(0, draw(from, -5, 20));
    each.stash_bytes = 1e6 * draw(from, 0, 20);
    made.nodes.push_back(each);
  }
  return made;
}

} // namespace pd::test
