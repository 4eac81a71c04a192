/// Bulk data between the ranks of a group.
///
///     rank 0                          rank 1
///     send(1, tag, a) ───────────▶ receive(0, tag, b)   posted ahead
///     sum(x)          ◀─────────▶  sum(x)               all ranks, in order
///
/// Invariants:
///
/// (1) A send is a rendezvous: it ends when its receive is posted and the
///     bytes are out. So receives are posted first, and nobody waits for a send
///     before it posted what the other side waits for.
///
/// (2) Tags match in any order; what has the same tag, in the order of posting.
///
/// (3) Sizes that differ are an error on both sides, and no byte moves. The
///     group goes on.
///
/// (4) A sum adds rank 0 first, then 1, ..., for each element: the same bits
///     over every transport, and as sum_replicas of engine/program.
///
/// (5) A rank that closes or dies ends what needs it: transfers with it, sums
///     and barriers; other transfers go on. What it sent before it closed still
///     arrives. A sum or barrier that fails closes the group at this rank, and
///     so it fails at the others.

#pragma once

#include "engine/base/sum_route.hpp"
#include "engine/comm/transfer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pd {

/// One rank's end of a group.
///
/// Thread: send, receive and close from any; sums and barriers from one at a
/// time, in the same order on every rank.
class communicator {
public:
  communicator(const communicator&) = delete;
  communicator& operator=(const communicator&) = delete;
  virtual ~communicator() = default; ///< closes

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }

  /// Posts a slot for the next bytes with this tag. Never blocks for the peer.
  /// @pre `from` is another rank of the group; `into` stays until it ended
  [[nodiscard]] transfer receive(int from, std::uint64_t tag,
                                 std::span<std::byte> into);

  /// @pre `to` is another rank of the group; `from` stays until it ended
  [[nodiscard]] transfer send(int to, std::uint64_t tag,
                              std::span<const std::byte> from);

  /// Adds up `data` over all ranks, into all of them. After an error its
  /// content is any mixture.
  /// Errors: bad_shape if the ranks' sizes differ; failed, with the rank that
  /// is gone; interrupted if closed.
  [[nodiscard]] virtual result<void> sum(std::span<float> data);

  /// The way that a sum of so many bytes takes.
  [[nodiscard]] sum_route route_of(std::size_t bytes) const;

  /// Returns when every rank has called it. Errors: as sum().
  [[nodiscard]] virtual result<void> barrier();

  /// Ends the group at this rank: every wait returns "closed", and so does
  /// what comes later. Bytes that were sent still arrive: waits for the others
  /// to have read them, at most a second.
  void close() { close_with(closed_error()); }

protected:
  /// @pre segment_bytes is a multiple of 4
  communicator(int rank, int size, std::int64_t segment_bytes,
               const sum_loads& loads = {});

  virtual transfer post_receive(const transfer_key& key, transfer_size size,
                                std::byte* into) = 0;
  virtual transfer post_send(const transfer_key& key, transfer_size size,
                             const std::byte* from) = 0;
  /// The first call counts: its error is what every wait returns.
  virtual void close_with(const error& why) = 0;

  /// The group ends with a collective that failed: (5).
  result<void> end_collective(result<void> outcome);

private:
  friend class chain_sum;
  friend class segmented_sum;
  void check_peer(int peer) const;
  /// A segment of a sum whose whole has so many bytes.
  transfer receive_of_sum(int from, traffic kind, std::uint64_t tag,
                          std::span<float> into, std::size_t whole_bytes);
  transfer send_of_sum(int to, traffic kind, std::uint64_t tag,
                       std::span<const float> from, std::size_t whole_bytes);
  std::vector<transfer> post_barrier(std::uint64_t tag);

  int rank_;
  int size_;
  std::int64_t segment_bytes_;
  sum_loads loads_;
  std::uint64_t collectives_ = 0; ///< begun; tags them
  std::vector<float> scratch_;    ///< of sums: some segments
};

} // namespace pd
