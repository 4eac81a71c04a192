#include "engine/device/layout.hpp"

#include <array>

namespace pd {

const char* to_string(layout order) {
  constexpr std::array names{"plain", "blocked8", "blocked16", "channels_last"};
  return names[static_cast<std::size_t>(order)];
}

std::int64_t storage_elems(const shape& extents, layout order) {
  if (extents.rank() != 4)
    return extents.elems();
  const auto block = channel_block(order);
  auto padded = extents;
  padded[1] = (extents[1] + block - 1) / block * block;
  return padded.elems();
}

} // namespace pd
