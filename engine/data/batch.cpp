#include "engine/data/batch.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <string>

namespace pd {

void fill_labels(const dataset& from, const batch_samples& of,
                 std::span<std::int32_t> labels) {
  PD_ASSERT(of.indices.size() <= labels.size());
  std::ranges::fill(labels, no_label);
  for (std::size_t i = 0; i < of.indices.size(); ++i)
    labels[i] = from.label(of.indices[i]);
}

void fill_rest(const dataset& from, const batch_samples& of,
               std::span<float> images) {
  const auto elems = static_cast<std::size_t>(from.image().elems());
  std::ranges::fill(images.subspan(of.indices.size() * elems), 0.0F);
}

result<void> read_sample(const dataset& from, const batch_samples& of,
                         std::size_t i, std::span<float> images) {
  const auto elems = static_cast<std::size_t>(from.image().elems());
  const auto index = of.indices[i];
  const auto done =
    from.read({index, of.epoch}, images.subspan(i * elems, elems));
  if (!done)
    return done.failure().within(from.name() + ", sample "
                                 + std::to_string(index));
  return {};
}

result<void> fill_batch(const dataset& from, const batch_samples& of,
                        std::span<float> images,
                        std::span<std::int32_t> labels) {
  const auto elems = static_cast<std::size_t>(from.image().elems());
  PD_ASSERT_EQ(images.size(), labels.size() * elems);
  fill_labels(from, of, labels);
  fill_rest(from, of, images);
  for (std::size_t i = 0; i < of.indices.size(); ++i)
    PD_CHECK(read_sample(from, of, i, images));
  return {};
}

} // namespace pd
