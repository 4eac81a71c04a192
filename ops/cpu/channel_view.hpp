/// Where element (image, channel, pixel) of a tensor lies, in any layout the
/// CPU has.

#pragma once

#include "engine/device/tensor.hpp"

namespace pd::cpu {

/// [images, blocks, pixels, lanes]; a plain layout has blocks of one lane.
struct channel_view {
  std::int64_t images = 0, channels = 0, pixels = 0;
  std::int64_t lanes = 1, blocks = 0;

  /// @pre rank 2 to 4; all axes behind the channels count as pixels
  [[nodiscard]] static channel_view of(const tensor_type& type) {
    const auto& x = type.extents;
    channel_view made{x[0], x[1], x.elems() / (x[0] * x[1]),
                      x.rank() == 4 ? channel_block(type.order) : 1, 0};
    made.blocks = (made.channels + made.lanes - 1) / made.lanes;
    return made;
  }

  [[nodiscard]] std::int64_t at(std::int64_t image, std::int64_t channel,
                                std::int64_t pixel) const {
    const auto row = (image * blocks + channel / lanes) * pixels + pixel;
    return row * lanes + channel % lanes;
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
