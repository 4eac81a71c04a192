#include "engine/data/batch.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <string>

namespace pd {

result<void> fill_batch(const dataset& from,
                        std::span<const std::int64_t> indices,
                        std::span<float> images,
                        std::span<std::int32_t> labels) {
  const auto elems = static_cast<std::size_t>(from.image().elems());
  PD_ASSERT(indices.size() <= labels.size());
  PD_ASSERT_EQ(images.size(), labels.size() * elems);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto done = from.read(indices[i], images.subspan(i * elems, elems));
    if (!done)
      return done.failure().within(from.name() + ", sample "
                                   + std::to_string(indices[i]));
    labels[i] = from.label(indices[i]);
  }
  std::ranges::fill(images.subspan(indices.size() * elems), 0.0F);
  std::ranges::fill(labels.subspan(indices.size()), no_label);
  return {};
}

} // namespace pd
