#include "engine/base/random.hpp"

#include <cmath>
#include <numbers>

namespace pd {

namespace {

/// FNV-1a, 64 bit: stable over builds and machines.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char each : text)
    h = (h ^ static_cast<unsigned char>(each)) * 0x100000001b3U;
  return h;
}

} // namespace

random_key make_random_key(std::uint64_t seed, std::string_view name,
                           std::uint64_t stream) {
  const auto mixed = philox({seed, hash(name)}, stream);
  return {mixed[0] | std::uint64_t{mixed[1]} << 32U,
          mixed[2] | std::uint64_t{mixed[3]} << 32U};
}

float normal(random_key key, std::uint64_t index) {
  const auto words = philox(key, index / 2);
  const auto pair = index % 2 * 2;
  const double u1 = (static_cast<double>(words[pair]) + 0.5) * 0x1p-32;
  const double u2 = static_cast<double>(words[pair + 1]) * 0x1p-32;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u1))
                            * std::cos(2.0 * std::numbers::pi * u2));
}

std::uint64_t uniform_below(random_key key, std::uint64_t index,
                            std::uint64_t bound) {
  const auto words = philox(key, index);
  const auto wide = words[0] | std::uint64_t{words[1]} << 32U;
  __extension__ using u128 = unsigned __int128;
  return static_cast<std::uint64_t>((u128{wide} * bound) >> 64U);
}

} // namespace pd
