/// Sets of nodes as bits.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pd {

/// A bit a node; all sets of one graph have the same length.
using node_set = std::vector<std::uint64_t>;

[[nodiscard]] inline node_set empty_set(std::size_t nodes) {
  return node_set((nodes + 63) / 64);
}

[[nodiscard]] inline bool has(const node_set& in, int node) {
  const auto i = static_cast<std::size_t>(node);
  return (in[i / 64] >> (i % 64) & 1) != 0;
}

inline void insert(node_set& to, int node) {
  const auto i = static_cast<std::size_t>(node);
  to[i / 64] |= std::uint64_t{1} << (i % 64);
}

inline void insert(node_set& to, const node_set& all) {
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] |= all[i];
}

[[nodiscard]] inline bool is_part(const node_set& of, const node_set& all) {
  for (std::size_t i = 0; i < of.size(); ++i)
    if ((of[i] & ~all[i]) != 0)
      return false;
  return true;
}

[[nodiscard]] inline int count(const node_set& in) {
  int sum = 0;
  for (const auto word : in)
    sum += std::popcount(word);
  return sum;
}

struct node_set_hash {
  std::size_t operator()(const node_set& of) const {
    std::uint64_t mixed = 0;
    for (const auto word : of)
      mixed = (mixed ^ word) * 0x9e3779b97f4a7c15 + (mixed >> 29);
    return mixed;
  }
};

} // namespace pd
