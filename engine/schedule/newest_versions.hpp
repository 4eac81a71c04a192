/// The newest version of each chunk's weights, as one goes along a row.

#pragma once

#include "engine/schedule/action.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pd {

/// A chunk's number in text is no greater.
inline constexpr int max_chunk = 1023;

class newest_versions {
public:
  /// Every chunk is at version `start`.
  explicit newest_versions(std::int64_t start = 0) : start_{start} {}

  [[nodiscard]] std::int64_t of(int chunk) const {
    const auto i = static_cast<std::size_t>(chunk);
    return i < by_chunk_.size() ? by_chunk_[i] : start_;
  }

  /// An update makes its version the newest; nothing else changes any.
  void pass(const action& cell) {
    if (cell.kind != act::update)
      return;
    const auto i = static_cast<std::size_t>(cell.chunk);
    if (i >= by_chunk_.size())
      by_chunk_.resize(i + 1, start_);
    by_chunk_[i] = cell.index;
  }

private:
  std::int64_t start_;
  std::vector<std::int64_t> by_chunk_;
};

} // namespace pd
