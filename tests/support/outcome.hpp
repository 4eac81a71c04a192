/// What a whole run of a job gave, to be compared bit for bit.

#pragma once

#include "engine/train/session.hpp"

#include <map>
#include <string>
#include <vector>

namespace pd {

/// Losses by update and by evaluation; replica 0's weights by name.
struct outcome {
  std::vector<double> losses;
  std::vector<double> evaluations;
  std::map<std::string, std::vector<float>> weights;
  bool operator==(const outcome&) const = default;
};

/// Runs a job to its end, from its beginning or from a checkpoint; without
/// `make` on the oracle. Ends the test if the job fails.
[[nodiscard]] outcome outcome_of(const job& what, const runner_maker& make = {},
                                 const checkpoint* from = nullptr);

/// "pipedream 2-1-1", for a failure's message.
[[nodiscard]] std::string describe(const job& what);

} // namespace pd
