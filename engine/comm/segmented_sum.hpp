/// A sum over all ranks by point-to-point transfers.
///
///     data of rank r:   shard 0 │ shard 1 │ ... │ shard R-1     rank j owns j
///     a shard:          segment 0, 1, 2, ...                    in a pipeline
///
///     part  shard j, segment s   r ──▶ j    for all j but r
///     sum   shard r, segment s   r ──▶ j    once all its parts are here
///
/// So each rank sends and receives 2 (R-1)/R of the data, as few as can be. The
/// parts wait in scratch; the sums land in place.
///
/// Invariants:
///
/// (1) Every two ranks exchange at least one part and one sum, empty or not, so
///     ranks that add different sizes notice.

#pragma once

#include "engine/comm/communicator.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace pd {

class segmented_sum {
public:
  /// @pre `group` and `data` outlive this
  segmented_sum(communicator& group, std::span<float> data, std::uint64_t tag);

  /// Errors: of the transfers, and nothing is posted after the first.
  [[nodiscard]] result<void> run();

private:
  /// What is on its way for one segment of every shard.
  struct step {
    std::vector<transfer> parts; ///< coming in
    std::vector<transfer> others;
  };

  [[nodiscard]] static std::int64_t segment_elems_of(const communicator& group,
                                                     std::int64_t shard_elems);
  [[nodiscard]] std::int64_t scratch_slots() const { return reduce_lag_ + 1; }
  [[nodiscard]] std::int64_t shard_begin(int owner) const;
  [[nodiscard]] std::span<float> slice(int owner, std::int64_t segment) const;
  [[nodiscard]] std::span<float> scratch(int peer, std::int64_t segment);
  [[nodiscard]] std::vector<int> peers() const;

  transfer receive(int peer, traffic kind, std::span<float> into);
  transfer send(int peer, traffic kind, std::span<const float> from);

  void post(std::int64_t segment);
  result<void> reduce(std::int64_t segment);
  result<void> finish();
  void add(std::int64_t segment);

  communicator& group_;
  std::span<float> data_;
  std::uint64_t tag_;
  std::vector<float>& scratch_; ///< the group's: it grows once
  std::int64_t segment_elems_;
  std::int64_t segments_;
  std::int64_t reduce_lag_ = 1; ///< segments posted ahead of the adding
  std::int64_t finish_lag_ = 3; ///< segments on their way at once
  std::deque<step> steps_;      ///< begun and not finished, the oldest first
  std::int64_t finished_ = 0;
};

} // namespace pd
