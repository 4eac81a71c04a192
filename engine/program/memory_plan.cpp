#include "engine/program/memory_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace pd {

namespace {

constexpr std::int64_t alignment = 64;

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

bool overlap(const lifetime& a, const lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

struct placed {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The lowest offset where `bytes` fit between what is taken.
std::int64_t lowest_gap(std::vector<placed>& taken, std::int64_t bytes) {
  std::ranges::sort(taken, {}, &placed::begin);
  std::int64_t offset = 0;
  for (const auto& each : taken) {
    if (each.begin - offset >= bytes)
      return offset;
    offset = std::max(offset, each.end);
  }
  return offset;
}

std::vector<std::size_t> largest_first(std::span<const lifetime> wanted) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return wanted[a].bytes > wanted[b].bytes;
  });
  return order;
}

} // namespace

arena_plan plan_arena(std::span<const lifetime> wanted) {
  arena_plan plan{std::vector<std::int64_t>(wanted.size(), 0), 0};
  std::vector<std::size_t> done;
  for (const auto i : largest_first(wanted)) {
    std::vector<placed> taken;
    for (const auto j : done)
      if (overlap(wanted[i], wanted[j]))
        taken.push_back(
          {plan.offsets[j], plan.offsets[j] + aligned(wanted[j].bytes)});
    const auto bytes = aligned(wanted[i].bytes);
    plan.offsets[i] = lowest_gap(taken, bytes);
    plan.bytes = std::max(plan.bytes, plan.offsets[i] + bytes);
    done.push_back(i);
  }
  return plan;
}

std::int64_t least_bytes(std::span<const lifetime> wanted) {
  std::vector<std::pair<int, std::int64_t>>
    changes; // at a step, the ends first
  changes.reserve(2 * wanted.size());
  for (const auto& each : wanted) {
    changes.emplace_back(each.first, aligned(each.bytes));
    changes.emplace_back(each.last + 1, -aligned(each.bytes));
  }
  std::ranges::sort(changes);
  std::int64_t alive = 0;
  std::int64_t most = 0;
  for (const auto& [step, bytes] : changes) {
    alive += bytes;
    most = std::max(most, alive);
  }
  return most;
}

} // namespace pd
