/// Small networks at random.

#pragma once

#include "engine/planner/profile.hpp"

#include <random>

namespace pd::test {

using random_numbers = std::mt19937_64;

[[nodiscard]] int draw(random_numbers& from, int least, int most);

/// One source; a chain if `edges` is 0, else each further node takes of one to
/// `edges` earlier ones. Small whole amounts, some of them 0.
[[nodiscard]] profile random_profile(random_numbers& from, int nodes,
                                     int edges);

} // namespace pd::test
