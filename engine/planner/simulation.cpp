#include "engine/planner/simulation.hpp"

#include "engine/base/assert.hpp"
#include "engine/planner/flows.hpp"
#include "engine/planner/sum_plan.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <queue>

namespace pd {

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// What happens at a time.
struct event {
  enum class kind : std::uint8_t {
    done,       ///< a worker's action
    bucket,     ///< a bucket is whole: of `chunk`, round `index`, number `from`
    activation, ///< arrives from virtual stage `from`
    gradient,   ///< likewise
    flow,       ///< `worker` is the flow, `index` its number
    sum         ///< a stage's sum is everywhere; `worker` is the stage
  };

  double time = 0;        ///< set by the queue
  std::int64_t index = 0; ///< microbatch or round
  int worker = 0;
  int from = 0;
  int chunk = 0;
  kind what = kind::done;
};

/// A heap of small keys; what happens lies aside.
class event_queue {
public:
  void push(double time, const event& added) {
    int place = static_cast<int>(events_.size());
    if (unused_.empty()) {
      events_.push_back(added);
    } else {
      place = unused_.back();
      unused_.pop_back();
      events_[at(place)] = added;
    }
    events_[at(place)].time = time;
    keys_.push({time, pushed_++, place});
  }
  event pop() {
    const int place = keys_.top().place;
    keys_.pop();
    unused_.push_back(place);
    return events_[at(place)];
  }
  [[nodiscard]] bool is_empty() const { return keys_.empty(); }

private:
  struct key {
    double time = 0;
    std::int64_t number = 0; ///< of events of one time, who was first
    int place = 0;

    bool operator>(const key& other) const {
      return time != other.time ? time > other.time : number > other.number;
    }
  };

  std::priority_queue<key, std::vector<key>, std::greater<>> keys_;
  std::vector<event> events_;
  std::vector<int> unused_;
  std::int64_t pushed_ = 0;
};

// -- sums over replicas ------------------------------------------------------

/// A stage's sums, in the order in which all its replicas come to them.
struct sum_queue {
  struct pending_sum {
    int chunk = 0;
    std::int64_t round = 0;
    int bucket = 0;
    int ready = 0; ///< replicas that have it
  };

  std::deque<pending_sum> sums; ///< the first is on its way if `flows_left` > 0
  std::int64_t first = 0;       ///< its number
  std::vector<std::int64_t> posted; ///< by replica, how many
  std::size_t flows_left = 0;
  bool is_busy = false;
};

// -- links -------------------------------------------------------------------

/// What link_out does: one message after the other.
struct channel {
  struct message {
    event arrival;
    double bytes = 0;
  };

  int level = 0;
  std::deque<message> queue; ///< the first is on its way
  link_use use;
};

// -- the simulation ----------------------------------------------------------

class cluster_simulator {
public:
  cluster_simulator(const timetable& all, const topology& links,
                    const std::vector<stage_load>& loads, const fabric& net)
    : all_{all},
      links_{links},
      loads_{loads},
      net_{net},
      place_{all.shape},
      ports_{net, place_.workers()},
      flows_{ports_.rates(), [this](const flow_end& end) { expect(end); }},
      workers_(at(place_.workers())),
      channels_by_sender_(at(place_.workers())) {
    PD_ASSERT_EQ(loads.size(), at(place_.virtual_stages()));
    prepare_workers();
    prepare_sums();
  }

  cluster_run run() {
    for (int worker = 0; worker < place_.workers(); ++worker)
      try_next(worker);
    while (!events_.is_empty()) {
      const auto now = events_.pop();
      now_ = now.time;
      happen(now);
    }
    collect();
    return std::move(made_);
  }

private:
  struct worker_state {
    std::unique_ptr<worker_progress> progress;
    std::size_t next = 0;
    bool is_busy = false;
    std::vector<std::vector<std::int64_t>> left; ///< by chunk and round
  };

  void prepare_workers() {
    auto& made = made_.actions;
    made.busy.resize(workers_.size());
    made.peak_in_flight.resize(workers_.size());
    made.times.resize(workers_.size());
    made_.reduced_bytes.resize(workers_.size());
    for (int w = 0; w < place_.workers(); ++w) {
      const auto stage = place_.stage_of(w);
      const auto round = all_.rounds[at(stage)];
      auto& own = workers_[at(w)];
      own.progress = std::make_unique<worker_progress>(all_, links_, w);
      own.left.assign(
        at(all_.shape.chunks),
        std::vector<std::int64_t>(at(all_.microbatches / round + 1),
                                  round / place_.replicas(stage)));
      made.times[at(w)].reserve(all_.rows[at(w)].size());
    }
  }

  void prepare_sums() {
    for (int s = 0; s < place_.stages(); ++s) {
      plans_.emplace_back(net_, ports_, place_.worker_at(s, 0),
                          place_.replicas(s));
      sums_.emplace_back().posted.resize(at(place_.replicas(s)));
    }
  }

  [[nodiscard]] bool is_at_end(int worker) const {
    return workers_[at(worker)].next == all_.rows[at(worker)].size();
  }
  [[nodiscard]] int virtual_stage_of(int worker, int chunk) const {
    return place_.virtual_stage(place_.stage_of(worker), chunk);
  }
  [[nodiscard]] const stage_load& load_of(int worker, int chunk) const {
    return loads_[at(virtual_stage_of(worker, chunk))];
  }

  [[nodiscard]] double speed_of(int worker) const {
    return net_.speeds.empty() ? 1 : net_.speeds[at(worker)];
  }

  // -- actions ----------------------------------------------------------------

  static double seconds_of(act kind, const stage_load& load) {
    switch (kind) {
    case act::forward:
    case act::evaluate:
      return load.forward_s;
    case act::backward:
      return load.again_s + (load.input_s + load.weight_s);
    case act::input:
      return load.again_s + load.input_s;
    case act::weight:
      return load.weight_s;
    case act::update:
      return load.update_s;
    }
    return 0;
  }

  void try_next(int worker) {
    auto& own = workers_[at(worker)];
    if (own.is_busy || is_at_end(worker))
      return;
    const auto& cell = all_.rows[at(worker)][own.next];
    if (own.progress->lacks(cell).what != want::nothing)
      return;
    const auto takes =
      seconds_of(cell.kind, load_of(worker, cell.chunk)) / speed_of(worker);
    own.is_busy = true;
    made_.actions.busy[at(worker)] += takes;
    made_.actions.times[at(worker)].push_back({now_, now_ + takes});
    if (is_last_of_backward(cell.kind))
      expect_buckets(worker, cell, takes);
    events_.push(now_ + takes, {.worker = worker});
  }

  /// In the last own backward of a round, if there are other replicas.
  void expect_buckets(int worker, const action& cell, double takes) {
    const auto round = round_of(worker, cell);
    auto& left = workers_[at(worker)].left[at(cell.chunk)][at(round)];
    if (--left > 0 || place_.replicas(place_.stage_of(worker)) == 1)
      return;
    const auto& buckets = load_of(worker, cell.chunk).buckets;
    for (int b = 0; b < std::ssize(buckets); ++b)
      events_.push(now_ + takes * buckets[at(b)].whole_share,
                   {.index = round,
                    .worker = worker,
                    .from = b,
                    .chunk = cell.chunk,
                    .what = event::kind::bucket});
  }

  [[nodiscard]] std::int64_t round_of(int worker, const action& cell) const {
    return cell.index / all_.rounds[at(place_.stage_of(worker))];
  }

  void happen(const event& now) {
    switch (now.what) {
    case event::kind::done:
      finish(now.worker);
      return try_next(now.worker);
    case event::kind::activation:
      workers_[at(now.worker)].progress->activation_arrived(
        now.chunk, now.index, now.from);
      return try_next(now.worker);
    case event::kind::gradient:
      workers_[at(now.worker)].progress->gradient_arrived(now.chunk, now.index,
                                                          now.from);
      return try_next(now.worker);
    case event::kind::bucket:
      return post_bucket(now);
    case event::kind::flow:
      return end_flow(now);
    case event::kind::sum:
      return end_sum(now.worker);
    }
  }

  void finish(int worker) {
    auto& own = workers_[at(worker)];
    const auto& cell = all_.rows[at(worker)][own.next];
    own.progress->done(cell);
    own.is_busy = false;
    ++own.next;
    auto& peak = made_.actions.peak_in_flight[at(worker)];
    peak = std::max(peak, own.progress->in_flight());
    made_.actions.span = now_;
    hand_on(worker, cell);
    if (is_last_of_backward(cell.kind))
      end_backward(worker, cell);
  }

  void hand_on(int worker, const action& cell) {
    const int stage = virtual_stage_of(worker, cell.chunk);
    const auto& to = links_[at(stage)];
    const auto& load = loads_[at(stage)];
    const event activation{
      .index = cell.index, .from = stage, .what = event::kind::activation};
    auto gradient = activation;
    gradient.what = event::kind::gradient;
    if (cell.kind == act::forward || cell.kind == act::evaluate)
      send(worker, activation, to.downstream, load.activation_bytes);
    if (cell.kind == act::backward || cell.kind == act::input)
      send(worker, gradient, to.upstream, load.gradient_bytes);
    if (cell.kind == act::evaluate)
      send(worker, gradient, to.upstream, {});
  }

  // -- links ------------------------------------------------------------------

  void send(int worker, event fact, const std::vector<int>& to,
            const std::vector<double>& bytes) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      fact.worker =
        place_.worker_of(place_.stage_of_virtual(to[i]), fact.index);
      fact.chunk = place_.chunk_of_virtual(to[i]);
      if (fact.worker == worker)
        events_.push(now_, fact);
      else
        queue(channel_of(worker, fact.worker),
              {fact, i < bytes.size() ? bytes[i] : 0});
    }
  }

  int channel_of(int from, int to) {
    const auto [found, is_new] = channels_by_sender_[at(from)].try_emplace(
      to, static_cast<int>(channels_.size()));
    if (is_new) {
      auto& made = channels_.emplace_back();
      made.level = net_.is_free() ? 0 : net_.level_between(from, to);
      made.use = {from, to, 0, 0};
    }
    return found->second;
  }

  void queue(int which, const channel::message& what) {
    auto& to = channels_[at(which)];
    ++to.use.messages;
    to.use.bytes += what.bytes;
    to.queue.push_back(what);
    if (to.queue.size() == 1)
      start_first(which);
  }

  /// What takes no time on the wire is through at once.
  void start_first(int which) {
    auto& own = channels_[at(which)];
    while (!own.queue.empty()) {
      const auto bytes = own.queue.front().bytes;
      if (!net_.is_free() && bytes > 0)
        return flows_.begin({bytes, ports_.out(own.level, own.use.from),
                             ports_.in(own.level, own.use.to), 1, which},
                            now_);
      arrive_first(own);
    }
  }

  void arrive_first(channel& own) {
    const auto latency =
      net_.is_free() ? 0 : net_.levels[at(own.level)].latency_s;
    events_.push(now_ + latency, own.queue.front().arrival);
    own.queue.pop_front();
  }

  void expect(const flow_end& end) {
    events_.push(
      end.time,
      {.index = end.number, .worker = end.flow, .what = event::kind::flow});
  }

  void end_flow(const event& now) {
    int tag = 0;
    if (!flows_.end({now.worker, static_cast<std::uint32_t>(now.index), now_},
                    tag))
      return;
    if (tag < 0)
      return end_flow_of_sum(-tag - 1);
    arrive_first(channels_[at(tag)]);
    start_first(tag);
  }

  // -- sums -------------------------------------------------------------------

  /// Without buckets there is nothing to sum.
  void end_backward(int worker, const action& cell) {
    const auto round = round_of(worker, cell);
    if (workers_[at(worker)].left[at(cell.chunk)][at(round)] > 0)
      return;
    const int stage = place_.stage_of(worker);
    if (place_.replicas(stage) == 1)
      return measure(worker, cell.chunk, round);
    if (load_of(worker, cell.chunk).buckets.empty())
      reduced(worker, cell.chunk, round);
  }

  void post_bucket(const event& now) {
    const int stage = place_.stage_of(now.worker);
    auto& own = sums_[at(stage)];
    auto& posted = own.posted[at(place_.replica_of(now.worker))];
    const auto place = at(posted++ - own.first);
    if (own.sums.size() <= place)
      own.sums.push_back({now.chunk, now.index, now.from, 0});
    ++own.sums[place].ready;
    try_sum(stage);
  }

  void try_sum(int stage) {
    auto& own = sums_[at(stage)];
    if (own.is_busy || own.sums.empty()
        || own.sums.front().ready < place_.replicas(stage))
      return;
    own.is_busy = true;
    const auto bytes = bytes_of_first_sum(stage);
    const auto& way = plans_[at(stage)].way_of(bytes);
    own.flows_left = bytes > 0 ? way.flows.size() : 0;
    if (own.flows_left == 0)
      return push_sum(stage);
    for (const auto& each : way.flows)
      flows_.begin(
        {bytes * each.bytes, each.out, each.in, each.connections, -stage - 1},
        now_);
    for (int r = 0; r < place_.replicas(stage); ++r)
      made_.reduced_bytes[at(place_.worker_at(stage, r))] +=
        bytes * way.sent[at(r)];
  }

  [[nodiscard]] double bytes_of_first_sum(int stage) const {
    const auto& what = sums_[at(stage)].sums.front();
    return loads_[at(place_.virtual_stage(stage, what.chunk))]
      .buckets[at(what.bucket)]
      .bytes;
  }

  void push_sum(int stage) {
    const auto bytes = bytes_of_first_sum(stage);
    const auto& way = plans_[at(stage)].way_of(bytes);
    events_.push(now_ + way.delay_s(bytes),
                 {.worker = stage, .what = event::kind::sum});
  }

  void end_flow_of_sum(int stage) {
    if (--sums_[at(stage)].flows_left == 0)
      push_sum(stage);
  }

  void end_sum(int stage) {
    auto& own = sums_[at(stage)];
    const auto what = own.sums.front();
    own.sums.pop_front();
    ++own.first;
    own.is_busy = false;
    try_sum(stage);
    const auto& buckets =
      loads_[at(place_.virtual_stage(stage, what.chunk))].buckets;
    if (what.bucket + 1 < std::ssize(buckets))
      return;
    for (int r = 0; r < place_.replicas(stage); ++r) {
      reduced(place_.worker_at(stage, r), what.chunk, what.round);
      try_next(place_.worker_at(stage, r));
    }
  }

  /// The worker has the sum of a round: as row_runner::round_reduced.
  void reduced(int worker, int chunk, std::int64_t round) {
    const int stage = place_.stage_of(worker);
    const auto size = all_.rounds[at(stage)];
    auto& progress = *workers_[at(worker)].progress;
    for (auto k = round * size; k < (round + 1) * size; ++k)
      if (place_.worker_of(stage, k) != worker)
        progress.backward_elsewhere(chunk, k);
    measure(worker, chunk, round);
  }

  /// Of joint updates: tells all once the round is whole on every stage.
  void measure(int worker, int, std::int64_t round) {
    if (!all_.joint_updates || place_.replica_of(worker) > 0
        || ++whole_[round] < place_.virtual_stages())
      return;
    for (int other = 0; other < place_.workers(); ++other) {
      workers_[at(other)].progress->round_joined(round);
      if (other != worker)
        try_next(other);
    }
  }

  // -- the end ----------------------------------------------------------------

  /// Which waits close a circle does not depend on times.
  void collect() {
    for (const auto& by_receiver : channels_by_sender_)
      for (const auto& [to, index] : by_receiver)
        made_.links.push_back(channels_[at(index)].use);
    for (int w = 0; w < place_.workers(); ++w)
      if (!is_at_end(w)) {
        made_.actions.deadlock =
          simulate(all_, balanced_costs(all_.shape), links_).deadlock;
        return;
      }
  }

  const timetable& all_;
  const topology& links_;
  const std::vector<stage_load>& loads_;
  const fabric& net_;
  placement place_;
  port_map ports_;
  event_queue events_;
  flow_table flows_;
  std::vector<worker_state> workers_;
  std::vector<sum_plan> plans_; ///< by stage
  std::vector<sum_queue> sums_; ///< by stage
  std::vector<channel> channels_;
  std::vector<std::map<int, int>> channels_by_sender_; ///< receiver to index
  std::map<std::int64_t, int> whole_; ///< virtual stages, by joint round
  double now_ = 0;
  cluster_run made_;
};

/// When the forward of a round's first microbatch starts at the first stage.
std::vector<double> round_starts(const timetable& all, const simulation& run) {
  const auto round = common_round(all);
  std::vector<double> starts(at(all.microbatches / round));
  for (int r = 0; r < all.shape.replicas[0]; ++r) {
    const auto& cells = all.rows[at(r)];
    for (std::size_t i = 0; i < run.times[at(r)].size(); ++i)
      if (const auto& cell = cells[i]; cell.kind == act::forward
                                       && cell.chunk == 0
                                       && cell.index % round == 0)
        starts[at(cell.index / round)] = run.times[at(r)][i].start;
  }
  return starts;
}

} // namespace

cluster_run simulate_cluster(const timetable& all, const topology& links,
                             const std::vector<stage_load>& loads,
                             const fabric& net) {
  return cluster_simulator{all, links, loads, net}.run();
}

double steady_seconds(const timetable& all, const cluster_run& run) {
  const auto& busy = run.actions.busy;
  const auto microbatches = static_cast<double>(all.microbatches);
  const auto starts = round_starts(all, run.actions);
  if (starts.size() < 3)
    return run.actions.span / microbatches;
  const auto first = starts.size() / 2 - 1;
  const auto rounds = static_cast<double>(starts.size() - 1 - first);
  const auto seconds = (starts.back() - starts[first])
                       / (rounds * static_cast<double>(common_round(all)));
  return std::max(seconds, *std::ranges::max_element(busy) / microbatches);
}

} // namespace pd
