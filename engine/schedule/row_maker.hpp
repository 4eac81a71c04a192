/// Writes a worker's row, counting its microbatches as the replica does.

#pragma once

#include "engine/schedule/timetable.hpp"

#include <algorithm>
#include <utility>

namespace pd {

class row_maker {
public:
  row_maker(const timetable& head, int worker) {
    const placement place{head.shape};
    stage_ = place.stage_of(worker);
    replica_ = place.replica_of(worker);
    replicas_ = place.replicas(stage_);
    const auto s = static_cast<std::size_t>(stage_);
    depth_ = head.depth[s];
    share_ = head.rounds[s] / replicas_;
    rounds_ = head.microbatches / head.rounds[s];
  }

  [[nodiscard]] int stage() const { return stage_; }
  [[nodiscard]] std::int64_t depth() const { return depth_; }
  /// Of a round's microbatches, how many are this replica's.
  [[nodiscard]] std::int64_t share() const { return share_; }
  [[nodiscard]] std::int64_t rounds() const { return rounds_; }
  /// All of this replica's microbatches.
  [[nodiscard]] std::int64_t locals() const { return share_ * rounds_; }

  /// `local`: the microbatch as this replica counts them.
  void add(act kind, std::int64_t local, std::int64_t version, int chunk = 0) {
    made_.push_back({chunk, kind, local * replicas_ + replica_, version});
  }

  void update(std::int64_t version, int chunk = 0) {
    made_.push_back({chunk, act::update, version, version});
  }

  [[nodiscard]] row take() { return std::move(made_); }

private:
  int stage_ = 0, replica_ = 0, replicas_ = 1;
  std::int64_t depth_ = 1, share_ = 1, rounds_ = 0;
  row made_;
};

/// Calls forward(i) and backward(i) for i = 0 ... count - 1 in 1F1B order:
/// `depth` forwards, then a backward and a forward by turns.
template <class Forward, class Backward>
void one_f_one_b(std::int64_t count, std::int64_t depth, Forward&& forward,
                 Backward&& backward) {
  const auto warm = std::min(depth, count);
  for (std::int64_t i = 0; i < warm; ++i)
    forward(i);
  for (std::int64_t i = 0; i < count; ++i) {
    backward(i);
    if (i + warm < count)
      forward(i + warm);
  }
}

} // namespace pd
