/// Adding up in one order, whoever adds.

#pragma once

#include <cstdint>
#include <span>

namespace pd {

/// into[i] = parts[0][i] + parts[1][i] + ..., from the left. `into` is one of
/// the parts or apart from all of them. @pre at least one part
///
/// Thread: any; the caller's OpenMP team is not used.
void sum_in_order(std::span<const float* const> parts, float* into,
                  std::int64_t elems);

} // namespace pd
