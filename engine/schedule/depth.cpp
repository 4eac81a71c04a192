#include "engine/schedule/depth.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace pd {

namespace {

using depths = std::vector<int>;

/// By more than rounding: sums of the same costs may differ by that.
bool is_less(double a, double b) {
  return a < b * (1 - 1e-9);
}

class depth_search {
public:
  depth_search(const family& how, timetable head,
               const std::vector<stage_cost>& costs)
    : how_{how}, head_{std::move(head)}, costs_{costs}, most_{head_.depth} {}

  depths run() {
    find_start();
    settle();
    while (!is_perfect() && raise_all())
      continue;
    return best_;
  }

private:
  /// How long the timetable takes; for ever if it deadlocks.
  double span_of(const depths& depth) {
    const auto [known, is_new] = spans_.try_emplace(depth, 0);
    if (!is_new)
      return known->second;
    head_.depth = depth;
    fill_rows(how_, head_);
    const auto run = simulate(head_, costs_);
    least_ = std::max(least_, least_span(run));
    known->second =
      run.deadlock.empty() ? run.span : std::numeric_limits<double>::infinity();
    return known->second;
  }

  /// No depth can make it shorter: a worker's work, what comes before its
  /// first forward and what follows its last backward.
  [[nodiscard]] double least_span(const simulation& run) const {
    const placement place{head_.shape};
    double others = 0;
    double made = 0;
    int stage = 0;
    for (int worker = 0; worker < place.workers(); ++worker) {
      if (place.stage_of(worker) != stage)
        others += through(costs_[static_cast<std::size_t>(stage++)]);
      if (run.deadlock.empty())
        made =
          std::max(made, others + run.busy[static_cast<std::size_t>(worker)]);
    }
    return made;
  }

  static double through(const stage_cost& cost) {
    return cost.forward + cost.input + cost.weight + cost.activation_transfer;
  }

  [[nodiscard]] bool is_perfect() const { return !is_less(least_, span_); }

  /// Takes `depth` if it is faster.
  bool try_depth(const depths& depth) {
    const auto span = span_of(depth);
    if (!is_less(span, span_))
      return false;
    span_ = span;
    best_ = depth;
    return true;
  }

  /// What keeps all workers from a stage on busy, `times` over: stages that
  /// keep pace have as many microbatches under way as there are workers. No
  /// times over is one microbatch a worker, which never deadlocks.
  [[nodiscard]] depths in_step(int times) const {
    auto made = most_;
    int workers = 0;
    for (auto s = made.size(); s-- > 0;) {
      const int replicas = head_.shape.replicas[s];
      workers += replicas;
      const int all = std::max(1, times * workers);
      made[s] = std::min(most_[s], (all + replicas - 1) / replicas);
    }
    return made;
  }

  void find_start() {
    best_ = most_;
    for (int times = 0; times < 4; ++times)
      try_depth(in_step(times));
    try_depth(most_);
  }

  /// Sets one stage's depth to the least of those that take the least time,
  /// the others as they are; looks no further than a little above what it is.
  /// True if that changed it.
  bool settle_stage(std::size_t stage) {
    const auto before = best_;
    const int last = std::min(most_[stage], before[stage] + 2);
    span_ = std::numeric_limits<double>::infinity();
    auto depth = before;
    for (depth[stage] = 1; depth[stage] <= last; ++depth[stage])
      if (try_depth(depth) && is_perfect())
        break;
    return best_ != before;
  }

  /// Settles all stages, the last first, until none changes.
  void settle() {
    bool has_changed = true;
    for (int pass = 0; pass < 4 && has_changed; ++pass) {
      has_changed = false;
      for (auto s = most_.size(); s-- > 0;)
        has_changed |= settle_stage(s);
    }
  }

  /// Goes one up at every stage at once, and settles again, if that is faster:
  /// a stage alone may gain nothing from more. False if it is not.
  bool raise_all() {
    const auto settled = best_;
    const auto span = span_;
    for (std::size_t s = 0; s < most_.size(); ++s)
      best_[s] = std::min(most_[s], best_[s] + 1);
    settle();
    if (is_less(span_, span))
      return true;
    best_ = settled;
    span_ = span;
    return false;
  }

  const family& how_;
  timetable head_;
  const std::vector<stage_cost>& costs_;
  depths most_;
  depths best_;
  double span_ = std::numeric_limits<double>::infinity(); ///< of best_
  double least_ = 0;
  std::map<depths, double> spans_;
};

} // namespace

std::vector<int> search_depth(const family& how, timetable head,
                              const std::vector<stage_cost>& costs) {
  return depth_search{how, std::move(head), costs}.run();
}

} // namespace pd
