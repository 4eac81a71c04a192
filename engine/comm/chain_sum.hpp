/// A sum along the ranks: each adds itself to what comes and passes it on; the
/// last one has the sum, which goes the way back.
///
///     rank 0 ──part──▶ rank 1 ──part──▶ ... ──part──▶ rank R-1
///            ◀──sum──         ◀──sum──      ◀──sum──
///
/// Segment by segment, in a pipeline: while one is added here another comes
/// back. Each link takes the data once a way, however many ranks there are, so
/// this is for machines that hold several of them (engine/base/sum_route).
///
/// Invariants:
///
/// (1) Neighbours exchange at least one part and one sum, empty or not, so
/// ranks
///     that add different sizes notice.
///
/// (2) A segment's sum cannot come before its part is out: both are in place.

#pragma once

#include "engine/comm/communicator.hpp"

#include <cstdint>
#include <deque>
#include <span>

namespace pd {

class chain_sum {
public:
  /// @pre `group` has two ranks or more; it and `data` outlive this
  chain_sum(communicator& group, std::span<float> data, std::uint64_t tag);

  /// Takes a second thread where parts go up while sums come down.
  /// Errors: of the transfers, and nothing is posted after the first.
  [[nodiscard]] result<void> run();

private:
  [[nodiscard]] std::span<float> segment(std::int64_t index) const;
  [[nodiscard]] std::span<float> scratch(std::int64_t index) const;
  [[nodiscard]] bool is_first() const { return group_.rank() == 0; }
  [[nodiscard]] bool is_last() const {
    return group_.rank() + 1 == group_.size();
  }

  transfer receive(int peer, traffic kind, std::span<float> into);
  transfer send(int peer, traffic kind, std::span<const float> from);

  result<void> carry_up();
  result<void> carry_down();

  communicator& group_;
  std::span<float> data_;
  std::uint64_t tag_;
  std::int64_t segment_elems_;
  std::int64_t segments_;
};

} // namespace pd
