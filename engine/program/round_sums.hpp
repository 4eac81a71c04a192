/// Adds up what every stage says of a round, once all have said it.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace pd {

/// Thread: its owner's.
class round_sums {
public:
  /// For a pass in which so many virtual stages say something.
  explicit round_sums(int stages) : stages_{stages} {}

  /// The sum over all stages, stage 0 first whoever came first, if this was the
  /// last of the round. @pre a stage says it once a round
  [[nodiscard]] std::optional<double> add(std::int64_t round, int stage,
                                          double value);

private:
  struct parts {
    std::vector<double> values; ///< by stage
    int count = 0;
  };

  int stages_;
  std::map<std::int64_t, parts> rounds_;
};

} // namespace pd
