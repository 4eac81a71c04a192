/// Who lies where in an arena, when lifetimes are known.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pd {

/// Room that is wanted from step `first` to step `last`, both included.
struct lifetime {
  std::int64_t bytes = 0;
  int first = 0;
  int last = 0;
};

/// Offsets into one arena. Index i belongs to the i-th lifetime.
///
/// Invariant (1): two whose lifetimes share a step share no byte.
struct arena_plan {
  std::vector<std::int64_t> offsets; ///< multiples of 64
  std::int64_t bytes = 0;            ///< of the arena
};

/// Places the largest first, each at the lowest offset that is free for all of
/// its lifetime.
///
/// Paper: Pisarchyk and Lee, arXiv 2001.03288 (greedy by size).
[[nodiscard]] arena_plan plan_arena(std::span<const lifetime> wanted);

/// The most bytes that are alive at one step: no plan can do with less.
[[nodiscard]] std::int64_t least_bytes(std::span<const lifetime> wanted);

} // namespace pd
