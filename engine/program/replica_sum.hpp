/// Sums the gradients of a stage's replicas.

#pragma once

#include <cstdint>
#include <span>

namespace pd {

/// Writes the sum over all parts into each of them, for the elements
/// [first, end). Replica 0 is added first, then 1, ...: the same bits whoever
/// adds, in one process or over a network.
///
/// Thread: any; the caller's OpenMP team is not used.
void sum_replicas(std::span<float* const> parts, std::int64_t first,
                  std::int64_t end);

} // namespace pd
