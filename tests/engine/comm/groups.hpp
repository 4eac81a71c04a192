/// Groups of both kinds, their ranks in threads of the test.

#pragma once

#include "engine/comm/communicator.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pd::test {

using ranks = std::vector<std::unique_ptr<communicator>>;

/// "local", "gloo", or "chain": gloo's, on two machines, which of three ranks
/// or more sums along a chain. A gloo group has a prefix and a store of its
/// own.
[[nodiscard]] ranks make_group(const std::string& kind, int size,
                               std::int64_t segment_bytes = 1 << 20);

/// What each rank's part of a test came to: "" is success, else the error.
using answers = std::vector<std::string>;

/// Runs `part` for every rank at once, each in a thread. After ten seconds
/// (TSan: sixty) it closes the group, and the answers of who hung begin with
/// "LATE ".
[[nodiscard]] answers
on_all_ranks(const ranks& group,
             const std::function<result<void>(communicator&)>& part);

/// As many successes.
[[nodiscard]] answers all_fine(std::size_t size);

/// Bytes that depend on the seed and on where they are.
[[nodiscard]] std::vector<std::byte> noise(std::size_t bytes,
                                           std::uint64_t seed);

/// f32 of many magnitudes, so that the order of a sum shows in its bits.
[[nodiscard]] std::vector<float> uneven_floats(std::size_t elems,
                                               std::uint64_t seed);

/// Rank 0's first, then rank 1's, ... as the engine adds.
[[nodiscard]] std::vector<float>
sum_from_the_left(const std::vector<std::vector<float>>& parts);

[[nodiscard]] bool same_bits(const std::vector<float>& a,
                             const std::vector<float>& b);

} // namespace pd::test
