#include "engine/program/replica_sum.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t chunk_elems = 4096; // of each part: they stay in cache

} // namespace

void sum_replicas(std::span<float* const> parts, std::int64_t first,
                  std::int64_t end) {
  for (auto begin = first; begin < end; begin += chunk_elems) {
    const auto elems = std::min(chunk_elems, end - begin);
    auto* sum = parts[0] + begin;
    for (const auto* part : parts.subspan(1))
      for (std::int64_t i = 0; i < elems; ++i)
        sum[i] += part[begin + i];
    for (auto* part : parts.subspan(1))
      std::copy_n(sum, elems, part + begin);
  }
}

} // namespace pd
