/// How the elements of an activation lie in memory.
///
/// Every device has one activation layout a precision, and every 4-D activation
/// on it is stored so; anything else (rows, labels, a loader's images) is
/// plain.

#pragma once

#include "engine/base/shape.hpp"

#include <cstdint>

namespace pd {

/// Invariants:
///
/// (1) `plain` is row-major: [N, C, H, W] has W innermost.
///
/// (2) blocked layouts are [N, C/b, H, W, b]; the channels that round C up to
///     a multiple of b are zero, before and after every kernel.
///
/// (3) channels_last is [N, H, W, C].
enum class layout : std::uint8_t { plain, blocked8, blocked16, channels_last };

/// "plain", "blocked8", "blocked16", "channels_last".
[[nodiscard]] const char* to_string(layout order);

/// Channels that lie together: 8, 16, or 1.
[[nodiscard]] constexpr std::int64_t channel_block(layout order) {
  return order == layout::blocked8 ? 8 : order == layout::blocked16 ? 16 : 1;
}

/// Elements that a tensor takes in memory, the padding of (2) included. Only
/// rank 4 is ever padded.
[[nodiscard]] std::int64_t storage_elems(const shape& extents, layout order);

} // namespace pd
