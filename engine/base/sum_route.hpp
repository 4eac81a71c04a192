/// The way that a sum over ranks takes through machines, and what it costs
/// their links. Whichever it is, rank 0 is added first, then 1, ...
///
///     at_home    all ranks are on one machine: an exchange, in large segments
///     exchange   each rank adds up its share of the elements and sends the sum
///                to all: many connections, but the fewest bytes where ranks
///                are alone on their machines
///     chain      rank 0 ─▶ 1 ─▶ ... ─▶ R-1 add themselves to what comes, then
///                the sum goes back: links between machines bear it once a way

#pragma once

#include <cstdint>
#include <span>

namespace pd {

enum class sum_route { at_home, exchange, chain };

/// What machines have to do for a sum.
struct sum_loads {
  /// Bytes that the busiest machine sends to others, for each byte of the sum.
  double exchange = 0;
  double chain = 0;
  int borders = 0; ///< between ranks r and r + 1 of two machines
};

/// machines: of each rank, equal numbers for one machine.
[[nodiscard]] sum_loads sum_loads_of(std::span<const int> machines);

/// Of a sum of so many bytes, the way on which the busiest machine sends less;
/// a chain also waits until its first segment has passed all borders, both
/// ways. most: as below
[[nodiscard]] sum_route best_sum_route(const sum_loads& of, std::int64_t bytes,
                                       std::int64_t most);

/// Parts in which a large sum goes along a chain, one after the other.
inline constexpr int segments_of_sum = 64;

/// What goes at once at most, unless a group of ranks says otherwise.
inline constexpr std::int64_t default_segment_bytes = 1 << 20;

/// What goes at once of a sum of so many bytes along a chain, or of a rank's
/// share in an exchange: a multiple of 4, so small that both ends soon have
/// something to do, and not smaller than pays.
/// @pre most is a multiple of 4 and above 0
[[nodiscard]] std::int64_t chain_segment_bytes(std::int64_t sum_bytes,
                                               std::int64_t most);
[[nodiscard]] std::int64_t exchange_segment_bytes(std::int64_t share_bytes,
                                                  std::int64_t most);

} // namespace pd
