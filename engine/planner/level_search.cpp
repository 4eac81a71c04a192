#include "engine/planner/level_search.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <limits>

namespace pd {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

} // namespace

level_search::level_search(const cut_list& cuts, const pipedream_costs& costs,
                           bool is_straight)
  : cuts_{cuts},
    costs_{costs},
    is_straight_{is_straight},
    best_(at(costs.workers()), span_times{cuts.size()}) {
  for (int to = 0; to < cuts.size(); ++to) {
    start(to);
    for (const int part : cuts.parts[at(to)])
      extend(to, part);
  }
}

/// Every stage that ends there as a whole.
void level_search::start(int to) {
  const auto alone = [&](stage_span stage) {
    for (int units = 1; units <= most_alone(); ++units)
      best_[at(units - 1)].at(stage) =
        costs_.time_of_first(stage, units).total_s;
  };
  alone({-1, to});
  for (const int from : cuts_.parts[at(to)])
    alone({from, to});
}

/// Every stage that ends there with a last part of it behind `part`.
void level_search::extend(int to, int part) {
  for (int own = 1; own <= most_alone(); ++own) {
    const double last = costs_.time_of({part, to}, own).total_s;
    for (int units = own + 1; units <= costs_.workers(); ++units) {
      const double* before = &best_[at(units - own - 1)].at({-1, part});
      double* best = &best_[at(units - 1)].at({-1, to});
      for (int from = 0; from <= part; ++from) // of cut `from` - 1
        best[from] = std::min(best[from], std::max(before[from], last));
    }
  }
}

/// The last stage of a best chain; `from` of the whole if it is alone.
chain_stage level_search::last_of(stage_span stage, int units) const {
  const double best = best_[at(units - 1)].at(stage);
  PD_ASSERT(best < never);
  if (units <= most_alone()
      && costs_.time_of_first(stage, units).total_s == best)
    return {stage, 0, units};
  const int most = std::min(most_alone(), units - 1);
  for (const int part : cuts_.parts[at(stage.to)])
    for (int own = 1; own <= most; ++own)
      if (cost_with({stage.from, part}, stage.to, units, own) == best)
        return {{part, stage.to}, 0, own};
  PD_ASSERT(false);
  return {};
}

/// Of the best chain of a stage, and one more up to `to` on `own` units.
double level_search::cost_with(stage_span before, int to, int units,
                               int own) const {
  return std::max(best_[at(units - own - 1)].at(before),
                  costs_.time_of({before.to, to}, own).total_s);
}

std::vector<chain_stage> level_search::chain_of(stage_span stage) const {
  std::vector<chain_stage> made;
  int units = costs_.workers();
  for (bool is_first = false; !is_first;) {
    made.push_back(last_of(stage, units));
    units -= made.back().replicas;
    is_first = made.back().span.from == stage.from;
    stage.to = made.back().span.from;
  }
  std::ranges::reverse(made);
  return made;
}

} // namespace pd
