#include "engine/comm/ordered_sum.hpp"

#include <algorithm>
#include <array>

namespace pd {

namespace {

constexpr std::int64_t block_elems = 1024; // a block and a part stay in L1
using block = std::array<float, block_elems>;

/// The bounds are known and nothing overlaps, so it is done in vectors.
void add_block(float* __restrict sum, const float* __restrict part) {
  for (std::int64_t i = 0; i < block_elems; ++i)
    sum[i] += part[i];
}

void add(float* sum, const float* part, std::int64_t elems) {
  if (elems == block_elems)
    return add_block(sum, part);
  for (std::int64_t i = 0; i < elems; ++i)
    sum[i] += part[i];
}

} // namespace

void sum_in_order(std::span<const float* const> parts, float* into,
                  std::int64_t elems) {
  alignas(64) block sum;
  for (std::int64_t begin = 0; begin < elems; begin += block_elems) {
    const auto here = std::min(block_elems, elems - begin);
    std::copy_n(parts[0] + begin, here, sum.data());
    for (const auto* part : parts.subspan(1))
      add(sum.data(), part + begin, here);
    std::copy_n(sum.data(), here, into + begin);
  }
}

} // namespace pd
