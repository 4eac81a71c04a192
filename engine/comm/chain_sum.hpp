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
///     ranks that add different sizes notice.
///
/// (2) Parts wait in scratch, sums land in place, and are posted for before
///     their segment is added up here: they come only after its part is out.

#pragma once

#include "engine/comm/communicator.hpp"

#include <cstdint>
#include <span>

namespace pd {

class chain_sum {
public:
  /// @pre `group` has two ranks or more; it and `data` outlive this
  chain_sum(communicator& group, std::span<float> data, std::uint64_t tag);

  /// Takes a second thread where parts go up while sums come down.
  /// Errors: of the transfers, which end all others of the sum.
  [[nodiscard]] result<void> run();

private:
  class incoming;
  class outgoing;

  [[nodiscard]] std::span<float> segment(std::int64_t index) const;
  [[nodiscard]] std::span<float> scratch(std::int64_t index) const;
  [[nodiscard]] int before() const { return group_.rank() - 1; }
  [[nodiscard]] int behind() const { return group_.rank() + 1; }
  [[nodiscard]] bool is_first() const { return group_.rank() == 0; }
  [[nodiscard]] bool is_last() const { return behind() == group_.size(); }

  result<void> send_parts();
  result<void> add_parts();
  result<void> return_sums();

  communicator& group_;
  std::span<float> data_;
  std::uint64_t tag_;
  std::int64_t segment_elems_;
  std::int64_t segments_;
};

} // namespace pd
