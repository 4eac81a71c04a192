/// Random numbers as a function of where they are used: Philox4x32-10.
///
/// A value depends on (key, index) and on nothing drawn before it, so that
/// initial weights, dropout masks and data order do not depend on how a model
/// is cut, on the number of threads, or on a restart.
///
/// Paper: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pd {

/// Who draws: a seed, a name (a parameter, a node, "shuffle") and a stream
/// within it (a microbatch, an epoch).
struct random_key {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

[[nodiscard]] random_key make_random_key(std::uint64_t seed,
                                         std::string_view name,
                                         std::uint64_t stream = 0);

/// Four independent 32-bit words for each (key, index).
[[nodiscard]] inline std::array<std::uint32_t, 4> philox(random_key key,
                                                         std::uint64_t index) {
  std::array<std::uint32_t, 4> c{static_cast<std::uint32_t>(index),
                                 static_cast<std::uint32_t>(index >> 32U),
                                 static_cast<std::uint32_t>(key.high),
                                 static_cast<std::uint32_t>(key.high >> 32U)};
  auto k0 = static_cast<std::uint32_t>(key.low);
  auto k1 = static_cast<std::uint32_t>(key.low >> 32U);
  for (int round = 0; round < 10; ++round) {
    const auto p0 = std::uint64_t{0xD2511F53U} * c[0];
    const auto p1 = std::uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32U) ^ c[1] ^ k0,
         static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32U) ^ c[3] ^ k1,
         static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

/// In [0, 1), 24 bits, as float32 holds them.
[[nodiscard]] inline float to_uniform(std::uint32_t word) {
  return static_cast<float>(word >> 8U) * 0x1p-24F;
}

/// Element `index` of the sequence of `key`, uniform in [0, 1).
[[nodiscard]] inline float uniform(random_key key, std::uint64_t index) {
  return to_uniform(philox(key, index / 4)[index % 4]);
}

/// Element `index` of the sequence of `key`, standard normal (Box-Muller).
[[nodiscard]] float normal(random_key key, std::uint64_t index);

/// Uniform in 0 ... bound - 1, without bias worth naming (64-bit multiply).
/// @pre bound > 0
[[nodiscard]] std::uint64_t uniform_below(random_key key, std::uint64_t index,
                                          std::uint64_t bound);

} // namespace pd
