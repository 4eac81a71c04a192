#include "engine/schedule/simulate.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>

namespace pd {

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// What happens at a time: a worker has done an action, or a fact about a
/// microbatch reaches a worker.
struct event {
  enum class kind : std::uint8_t { done, activation, gradient };

  double time = 0;
  std::int64_t number = 0; ///< of events of one time, who was first
  kind what = kind::done;
  int worker = 0;
  int chunk = 0;
  std::int64_t microbatch = 0;
  int from = 0; ///< virtual stage

  bool operator>(const event& other) const {
    return time != other.time ? time > other.time : number > other.number;
  }
};

class simulator {
public:
  simulator(const timetable& all, const std::vector<stage_cost>& costs,
            const topology& links)
    : all_{all}, costs_{costs}, links_{links}, place_{all.shape} {
    PD_ASSERT_EQ(all.rows.size(), at(place_.workers()));
    PD_ASSERT_EQ(costs.size(), at(place_.virtual_stages()));
    PD_ASSERT_EQ(links.size(), at(place_.virtual_stages()));
    for (int worker = 0; worker < place_.workers(); ++worker)
      progress_.emplace_back(all, links, worker);
    next_.resize(at(place_.workers()));
    is_busy_.resize(at(place_.workers()));
    made_.busy.resize(at(place_.workers()));
    made_.peak_in_flight.resize(at(place_.workers()));
    for (const auto& each : all.rows) {
      made_.times.emplace_back();
      made_.times.back().reserve(each.size());
    }
  }

  simulation run() {
    for (int worker = 0; worker < place_.workers(); ++worker)
      try_next(worker);
    while (!events_.empty()) {
      const auto now = events_.top();
      events_.pop();
      now_ = now.time;
      happen(now);
    }
    made_.span = now_;
    find_deadlock();
    return std::move(made_);
  }

private:
  [[nodiscard]] bool is_at_end(int worker) const {
    return next_[at(worker)] == all_.rows[at(worker)].size();
  }

  /// @pre !is_at_end(worker)
  [[nodiscard]] const action& next_of(int worker) const {
    return all_.rows[at(worker)][next_[at(worker)]];
  }

  [[nodiscard]] int virtual_stage_of(int worker, int chunk) const {
    return place_.virtual_stage(place_.stage_of(worker), chunk);
  }

  void push(event::kind what, double time, int worker, const event& fact) {
    auto added = fact;
    added.what = what;
    added.time = time;
    added.number = pushed_++;
    added.worker = worker;
    events_.push(added);
  }

  void try_next(int worker) {
    if (is_busy_[at(worker)] != 0 || is_at_end(worker))
      return;
    const auto& cell = next_of(worker);
    const auto lack = progress_[at(worker)].lacks(cell);
    if (lack.what != want::nothing)
      return;
    const auto stage = virtual_stage_of(worker, cell.chunk);
    const auto takes = cost_of(cell.kind, costs_[at(stage)]);
    is_busy_[at(worker)] = 1;
    made_.busy[at(worker)] += takes;
    made_.times[at(worker)].push_back({now_, now_ + takes});
    push(event::kind::done, now_ + takes, worker, {});
  }

  void happen(const event& now) {
    auto& progress = progress_[at(now.worker)];
    if (now.what == event::kind::done)
      finish(now.worker);
    else if (now.what == event::kind::activation)
      progress.activation_arrived(now.chunk, now.microbatch, now.from);
    else
      progress.gradient_arrived(now.chunk, now.microbatch, now.from);
    try_next(now.worker);
  }

  void finish(int worker) {
    const auto& cell = next_of(worker);
    auto& progress = progress_[at(worker)];
    progress.done(cell);
    auto& peak = made_.peak_in_flight[at(worker)];
    peak = std::max(peak, progress.in_flight());
    is_busy_[at(worker)] = 0;
    ++next_[at(worker)];
    tell(worker, cell);
  }

  /// Sends what others get of an action that is done.
  void tell(int worker, const action& cell) {
    const auto stage = virtual_stage_of(worker, cell.chunk);
    const auto& to = links_[at(stage)];
    const auto& cost = costs_[at(stage)];
    if (cell.kind == act::forward || cell.kind == act::evaluate)
      send(event::kind::activation, stage, cell, to.downstream,
           cost.activation_transfer);
    if (cell.kind == act::backward || cell.kind == act::input)
      send(event::kind::gradient, stage, cell, to.upstream,
           cost.gradient_transfer);
    if (cell.kind == act::evaluate) // its acknowledgement
      send(event::kind::gradient, stage, cell, to.upstream, 0);
    if (is_last_of_backward(cell.kind)) {
      tell_replicas(worker, cell);
      if (all_.joint_updates)
        count_round(worker, cell);
    }
  }

  void send(event::kind what, int from, const action& cell,
            const std::vector<int>& to, double takes) {
    for (const int stage : to) {
      const auto worker =
        place_.worker_of(place_.stage_of_virtual(stage), cell.index);
      event fact;
      fact.chunk = place_.chunk_of_virtual(stage);
      fact.microbatch = cell.index;
      fact.from = from;
      push(what, now_ + takes, worker, fact);
    }
  }

  void tell_replicas(int worker, const action& cell) {
    const int stage = place_.stage_of(worker);
    for (int replica = 0; replica < place_.replicas(stage); ++replica) {
      const int other = place_.worker_at(stage, replica);
      if (other == worker)
        continue;
      progress_[at(other)].backward_elsewhere(cell.chunk, cell.index);
      try_next(other);
    }
  }

  /// Tells all once the round is whole on every stage.
  void count_round(int worker, const action& cell) {
    const auto round = cell.index / all_.rounds[0];
    if (!progress_[at(worker)].is_round_whole(cell.chunk, round)
        || ++whole_[round] < place_.virtual_stages())
      return;
    for (int other = 0; other < place_.workers(); ++other) {
      progress_[at(other)].round_joined(round);
      try_next(other);
    }
  }

  // -- a deadlock -------------------------------------------------------------

  /// Follows the waits from the first worker that is stuck until they close.
  void find_deadlock() {
    int worker = 0;
    while (worker < place_.workers() && is_at_end(worker))
      ++worker;
    std::vector<int> seen(at(place_.workers()), -1);
    auto& chain = made_.deadlock;
    while (worker < place_.workers() && seen[at(worker)] < 0) {
      seen[at(worker)] = static_cast<int>(chain.size());
      chain.push_back(wait_of(worker));
      worker = chain.back().on_worker;
      if (is_at_end(worker)) // it never stands in that row: no cycle
        return;
    }
    if (!chain.empty())
      chain.erase(chain.begin(), chain.begin() + seen[at(worker)]);
  }

  [[nodiscard]] wait_link wait_of(int worker) const {
    const auto& cell = next_of(worker);
    const auto lack = progress_[at(worker)].lacks(cell);
    wait_link made{worker, next_[at(worker)], lack, worker, cell};
    made.awaited.index = lack.index;
    if (lack.what == want::round)
      return wait_for_round(made);
    if (lack.what == want::joint_round)
      return wait_for_joint_round(made);
    if (lack.what == want::place)
      return wait_for_place(made);
    made.awaited = awaited_by(cell, lack);
    if (lack.what == want::activation || lack.what == want::gradient
        || lack.what == want::acknowledgement)
      made.on_worker =
        place_.worker_of(place_.stage_of_virtual(lack.stage), lack.index);
    return made;
  }

  /// The action that would bring what is missing.
  [[nodiscard]] action awaited_by(const action& cell,
                                  const missing& lack) const {
    action made{place_.chunk_of_virtual(lack.stage), act::forward, lack.index};
    if (cell.kind == act::evaluate)
      made.kind = act::evaluate;
    else if (lack.what == want::gradient || lack.what == want::own_input)
      made.kind = has_halves(cell) ? act::input : act::backward;
    else if (lack.what == want::version)
      made.kind = act::update;
    return made;
  }

  static bool has_halves(const action& cell) {
    return cell.kind == act::input || cell.kind == act::weight;
  }

  /// The first backward of the round that a replica has not run.
  [[nodiscard]] wait_link wait_for_round(wait_link made) const {
    const int stage = place_.stage_of(made.worker);
    for (int replica = 0; replica < place_.replicas(stage); ++replica)
      if (awaits_backward(made, place_.worker_at(stage, replica),
                          place_.chunk_of_virtual(made.lack.stage)))
        break;
    return made;
  }

  /// Likewise, of all stages.
  [[nodiscard]] wait_link wait_for_joint_round(wait_link made) const {
    for (int worker = 0; worker < place_.workers(); ++worker)
      for (int chunk = 0; chunk < all_.shape.chunks; ++chunk)
        if (awaits_backward(made, worker, chunk))
          return made;
    return made;
  }

  /// True if the worker has not run all of the round that `made` waits for.
  bool awaits_backward(wait_link& made, int worker, int chunk) const {
    const auto round = all_.rounds[at(place_.stage_of(worker))];
    const auto& cells = all_.rows[at(worker)];
    for (auto i = next_[at(worker)]; i < cells.size(); ++i)
      if (cells[i].chunk == chunk && is_last_of_backward(cells[i].kind)
          && cells[i].index / round == made.lack.index - 1) {
        made.on_worker = worker;
        made.awaited = cells[i];
        return true;
      }
    return false;
  }

  /// What would next end a microbatch's stay here.
  [[nodiscard]] wait_link wait_for_place(wait_link made) const {
    const auto& cells = all_.rows[at(made.worker)];
    for (auto i = made.column; i < cells.size(); ++i)
      if (is_last_of_backward(cells[i].kind)) {
        made.awaited = cells[i];
        break;
      }
    return made;
  }

  const timetable& all_;
  const std::vector<stage_cost>& costs_;
  const topology& links_;
  placement place_;
  std::vector<worker_progress> progress_; ///< by worker, as all below
  std::vector<std::size_t> next_;         ///< its action in the row
  std::vector<char> is_busy_;
  std::map<std::int64_t, int> whole_; ///< stages, by joint round
  std::priority_queue<event, std::vector<event>, std::greater<>> events_;
  std::int64_t pushed_ = 0;
  double now_ = 0;
  simulation made_;
};

/// busy / available, as what is left of 1; 0 if nothing is available.
double idle_share(double busy, double available) {
  return available > 0 ? 1 - busy / available : 0;
}

double sum_of(const std::vector<double>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0);
}

} // namespace

double cost_of(act kind, const stage_cost& cost) {
  switch (kind) {
  case act::forward:
    return cost.forward;
  case act::backward:
    return cost.input + cost.weight;
  case act::input:
    return cost.input;
  case act::weight:
    return cost.weight;
  case act::update:
    return cost.update;
  case act::evaluate:
    return cost.evaluate;
  }
  return 0;
}

std::vector<stage_cost> balanced_costs(const pipeline_shape& shape) {
  const placement place{shape};
  std::vector<stage_cost> made;
  for (int stage = 0; stage < place.virtual_stages(); ++stage) {
    const double each =
      double{1} * place.replicas(place.stage_of_virtual(stage)) / shape.chunks;
    made.push_back(
      {.forward = each, .input = each, .weight = each, .evaluate = each});
  }
  return made;
}

simulation simulate(const timetable& all, const std::vector<stage_cost>& costs,
                    const topology& links) {
  return simulator{all, costs, links}.run();
}

simulation simulate(const timetable& all,
                    const std::vector<stage_cost>& costs) {
  return simulate(all, costs, neighbours(all.shape));
}

double bubble_share(const simulation& run) {
  return idle_share(sum_of(run.busy),
                    run.span * static_cast<double>(run.busy.size()));
}

double steady_bubble_share(const simulation& run) {
  double available = 0;
  for (const auto& each : run.times)
    if (!each.empty())
      available += each.back().end - each.front().start;
  return idle_share(sum_of(run.busy), available);
}

std::string to_string(const std::vector<wait_link>& cycle) {
  PD_ASSERT(!cycle.empty());
  auto text = "worker " + std::to_string(cycle.front().worker);
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const auto& each = cycle[i];
    text += i == 0 ? " waits for " : ", which waits for ";
    text += each.on_worker == each.worker
              ? to_string(each.awaited) + " of its own"
              : to_string(each.awaited) + " of worker "
                  + std::to_string(each.on_worker);
  }
  return text;
}

} // namespace pd
