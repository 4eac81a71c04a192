#include "engine/planner/chain_search.hpp"

#include <algorithm>
#include <limits>

namespace pd {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

class chain_finder {
public:
  chain_finder(const cut_list& cuts, const stage_costs& costs,
               const chain_options& options)
    : cuts_{cuts},
      costs_{costs},
      workers_{costs.workers()},
      most_replicas_{options.most_replicas == 0 ? workers_
                                                : options.most_replicas},
      uses_all_{options.uses_all_workers} {}

  std::optional<chain> run() {
    best_.assign(at(cuts_.size() + 1),
                 std::vector<double>(at(workers_ + 1), never));
    choices_.assign(best_.size(), std::vector<choice>(at(workers_ + 1)));
    best_.back().back() = 0; // nothing is left, on no worker
    row_.resize(at(workers_));
    // By the end of the stage, the last first: then all that is behind it is
    // known. Cut k's row is at k + 1.
    for (int to = cuts_.size() - 1; to >= 0; --to) {
      for (const int from : cuts_.parts[at(to)])
        try_stage({from, to});
      try_stage({-1, to});
    }
    return trace();
  }

private:
  struct choice {
    int to = -1;
    int replicas = 0;
  };

  [[nodiscard]] int replicas_from(int place) const {
    return std::min(most_replicas_, workers_ - place);
  }

  void try_stage(stage_span stage) {
    if (!costs_.depends_on_place())
      costs_.fill(stage, 0, {row_.data(), at(replicas_from(0))});
    const int last = stage.from < 0 && uses_all_ ? 1 : workers_;
    for (int place = 0; place < last; ++place) {
      if (costs_.depends_on_place())
        costs_.fill(stage, place, {row_.data(), at(replicas_from(place))});
      try_place(stage, place);
    }
  }

  /// The inner loop of all.
  void try_place(stage_span stage, int place) {
    const double* behind = best_[at(stage.to + 1)].data() + place + 1;
    double& best = best_[at(stage.from + 1)][at(place)];
    const int replicas = replicas_from(place);
    double least = best;
    for (int i = 0; i < replicas; ++i)
      least = std::min(least, std::max(row_[at(i)], behind[i]));
    if (least == best)
      return;
    best = least;
    for (int i = 0; i < replicas; ++i)
      if (std::max(row_[at(i)], behind[i]) == least) {
        choices_[at(stage.from + 1)][at(place)] = {stage.to, i + 1};
        return;
      }
  }

  [[nodiscard]] std::optional<chain> trace() const {
    const auto& whole = best_.front();
    const auto least = std::ranges::min_element(whole);
    if (*least == never)
      return std::nullopt;
    chain made{*least, {}};
    auto place = static_cast<int>(least - whole.begin());
    for (int from = -1; from + 1 < cuts_.size();) {
      const auto& next = choices_[at(from + 1)][at(place)];
      made.stages.push_back({{from, next.to}, place, next.replicas});
      from = next.to;
      place += next.replicas;
    }
    return made;
  }

  const cut_list& cuts_;
  const stage_costs& costs_;
  int workers_;
  int most_replicas_;
  bool uses_all_;
  std::vector<std::vector<double>> best_;    ///< by cut + 1, by place
  std::vector<std::vector<choice>> choices_; ///< likewise
  std::vector<double> row_;
};

} // namespace

std::optional<chain> find_chain(const cut_list& cuts, const stage_costs& costs,
                                const chain_options& options) {
  return chain_finder{cuts, costs, options}.run();
}

} // namespace pd
