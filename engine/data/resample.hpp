/// Bilinear resizing of a part of a picture, antialiased, as PIL's
/// `resize(size, BILINEAR, box=...)`: the triangle that weighs the pixels grows
/// with the scale, so all of them count.
///
/// Along an axis, with scale = (box end - box begin) / positions, output o lies
/// at c = begin + (o + 0.5) scale; pixel i has the weight
/// max(0, 1 - |i + 0.5 - c| / max(scale, 1)), over the sum of all its weights.
///
/// Unlike PIL nothing is rounded to bytes, between the axes or after them.

#pragma once

#include "engine/data/pixels.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace pd {

/// Where the outputs of one axis lie in the picture.
struct resize_axis {
  double begin = 0; ///< of the box, in pixels
  double end = 0;
  int positions = 0; ///< that the box is made into
  int first = 0;     ///< of them, the first that is wanted
  int count = 0;     ///< and how many are
  int low = 0;       ///< pixels before it have no weight
  int high = 0;      ///< nor this one and those after it
};

/// The pixels of one axis that make each output, and their weights.
class axis_weights {
public:
  /// Allocates only if there are more weights than ever before.
  void compute(const resize_axis& axis);

  [[nodiscard]] int size() const { return static_cast<int>(firsts_.size()); }
  /// The first pixel that output `number` looks at.
  [[nodiscard]] int first(int number) const {
    return firsts_[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] std::span<const float> weights(int number) const {
    const auto i = static_cast<std::size_t>(number);
    return std::span{weights_}.subspan(begins_[i], begins_[i + 1] - begins_[i]);
  }
  /// The pixels that any output looks at: [begin(), end()).
  [[nodiscard]] int begin() const { return begin_; }
  [[nodiscard]] int end() const { return end_; }

private:
  void add(const resize_axis& axis, int position);

  std::vector<int> firsts_;
  std::vector<std::size_t> begins_; ///< in weights_, one more than outputs
  std::vector<float> weights_;
  int begin_ = 0;
  int end_ = 0;
};

/// What becomes of a value v of each channel: v * factor + offset.
struct plane_scale {
  float factor[3] = {1, 1, 1};
  float offset[3] = {0, 0, 0};
};

/// Resizes both axes at once: planes f32 [C, rows.size(), columns.size()],
/// C = 3 for a view of four channels, else 1. `is_mirrored` turns left and
/// right. Sums go over rows first, in the order of the pixels.
///
/// Thread: any; `scratch` is the caller's, and grows.
/// @pre the view covers [begin(), end()) of both axes
void resample(const pixel_view& from, const axis_weights& rows,
              const axis_weights& columns, const plane_scale& scale,
              bool is_mirrored, std::vector<float>& scratch,
              std::span<float> planes);

} // namespace pd
