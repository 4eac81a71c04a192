/// One microbatch in host memory.

#pragma once

#include "engine/data/dataset.hpp"

#include <cstdint>
#include <span>

namespace pd {

/// The label of an image that is not there; the loss passes over it.
inline constexpr std::int32_t no_label = -1;

/// Reads the samples of `indices` into a microbatch of labels.size() images.
/// If there are fewer, the other images are zeros labelled `no_label`.
///
/// images: f32 [N, C, H, W]; labels: i32 [N]. Allocates nothing.
/// Errors: those of dataset::read, with the sample named.
/// @pre indices.size() <= labels.size()
result<void> fill_batch(const dataset& from,
                        std::span<const std::int64_t> indices,
                        std::span<float> images,
                        std::span<std::int32_t> labels);

} // namespace pd
