/// The logical extents of a tensor: [N, C, H, W] for images, [N, F] for rows.

#pragma once

#include "engine/base/assert.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pd {

/// Up to six extents, a value that never allocates.
class shape {
public:
  static constexpr int max_rank = 6;

  shape() = default;
  shape(std::initializer_list<std::int64_t> extents) {
    for (const auto each : extents)
      push_back(each);
  }
  explicit shape(const std::vector<std::int64_t>& extents) {
    for (const auto each : extents)
      push_back(each);
  }

  void push_back(std::int64_t extent) {
    PD_ASSERT(rank_ < max_rank);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] std::int64_t operator[](int axis) const {
    PD_ASSERT(axis >= 0 && axis < rank_);
    return extents_[static_cast<std::size_t>(axis)];
  }
  [[nodiscard]] std::int64_t& operator[](int axis) {
    PD_ASSERT(axis >= 0 && axis < rank_);
    return extents_[static_cast<std::size_t>(axis)];
  }

  /// The product of the extents; 1 for rank 0.
  [[nodiscard]] std::int64_t elems() const;

  [[nodiscard]] const std::int64_t* begin() const { return extents_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return begin() + rank_; }

  bool operator==(const shape& other) const = default;

private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

/// "[16, 64, 56, 56]"
[[nodiscard]] std::string to_string(const shape& extents);
std::ostream& operator<<(std::ostream& out, const shape& extents);

} // namespace pd
