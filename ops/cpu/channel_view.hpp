/// Where element (image, channel, pixel) of a tensor lies, in any layout the
/// CPU has.

#pragma once

#include "engine/device/tensor.hpp"

namespace pd::cpu {

/// Channels that lie together and make one row of a kernel: a block; of
/// channels_last the most that divide the channels; of a plain layout 1.
[[nodiscard]] inline std::int64_t row_lanes(const tensor_type& type) {
  if (type.extents.rank() != 4)
    return 1;
  if (type.order == layout::channels_last)
    for (const std::int64_t lanes : {32, 16, 8})
      if (type.extents[1] % lanes == 0)
        return lanes;
  return channel_block(type.order);
}

/// Rows of `lanes` channels, and how far apart they lie, in elements. The last
/// row of a blocked layout may be padded.
struct channel_view {
  std::int64_t images = 0, channels = 0, pixels = 0;
  std::int64_t lanes = 1, blocks = 0;
  std::int64_t image_step = 0, block_step = 0, pixel_step = 0;

  /// @pre rank 2 to 4; all axes behind the channels count as pixels
  [[nodiscard]] static channel_view of(const tensor_type& type) {
    const auto& x = type.extents;
    channel_view made{x[0], x[1], x.elems() / (x[0] * x[1]), row_lanes(type)};
    made.blocks = (made.channels + made.lanes - 1) / made.lanes;
    made.image_step = made.blocks * made.lanes * made.pixels;
    const bool is_last = x.rank() == 4 && type.order == layout::channels_last;
    made.pixel_step = is_last ? made.channels : made.lanes;
    made.block_step = is_last ? made.lanes : made.lanes * made.pixels;
    return made;
  }

  [[nodiscard]] std::int64_t at(std::int64_t image, std::int64_t channel,
                                std::int64_t pixel) const {
    return row_at(image, channel / lanes, pixel) + channel % lanes;
  }
  [[nodiscard]] std::int64_t row_at(std::int64_t image, std::int64_t block,
                                    std::int64_t pixel) const {
    return image * image_step + block * block_step + pixel * pixel_step;
  }
  /// The place in PyTorch's order.
  [[nodiscard]] std::int64_t plain(std::int64_t image, std::int64_t channel,
                                   std::int64_t pixel) const {
    return (image * channels + channel) * pixels + pixel;
  }
  [[nodiscard]] std::int64_t padded_channels() const { return blocks * lanes; }
};

/// Calls f with a null pointer of the C++ type: float or bf16.
template <class F>
auto with_type(dtype type, F&& f) {
  return type == dtype::bf16 ? f(static_cast<bf16*>(nullptr))
                             : f(static_cast<float*>(nullptr));
}

} // namespace pd::cpu
