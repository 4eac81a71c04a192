/// The way that a sum over ranks takes through machines, and what it costs
/// their links. Whichever it is, rank 0 is added first, then 1, ...
///
///     exchange   each rank adds up its share of the elements and sends the sum
///                to all: hundreds of connections, few bytes between machines
///                of one rank each
///     chain      rank 0 ─▶ 1 ─▶ ... ─▶ R-1 add themselves to what comes, and
///     the
///                sum goes back: each link between machines takes it once a way

#pragma once

#include <cstdint>
#include <span>

namespace pd {

enum class sum_route { at_home, exchange, chain };

/// Bytes that the busiest machine sends to others, for each byte of the sum.
/// machines: of each rank, equal numbers for one machine.
[[nodiscard]] double exchange_load(std::span<const int> machines);
[[nodiscard]] double chain_load(std::span<const int> machines);

/// The one with the smaller load; exchange if both are equal.
[[nodiscard]] sum_route best_sum_route(std::span<const int> machines);

/// Of bytes that go through a link one part after the other: what goes at once,
/// a multiple of 4. So small that both ends soon have something to do, and not
/// smaller than pays. @pre most is a multiple of 4 and above 0
[[nodiscard]] std::int64_t segment_bytes_of(std::int64_t bytes,
                                            std::int64_t most);

} // namespace pd
