/// One microbatch in host memory.

#pragma once

#include "engine/data/dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace pd {

/// The label of an image that is not there; the loss passes over it.
inline constexpr std::int32_t no_label = -1;

/// The samples of a microbatch, in an epoch. Owns nothing.
struct batch_samples {
  std::span<const std::int64_t> indices;
  std::int64_t epoch = 0;
};

/// Reads samples into a microbatch of labels.size() images. If there are fewer,
/// the other images are zeros labelled `no_label`.
///
/// images: f32 [N, C, H, W]; labels: i32 [N]. Allocates nothing of its own.
/// Errors: those of dataset::read, with the sample named.
/// @pre of.indices.size() <= labels.size()
result<void> fill_batch(const dataset& from, const batch_samples& of,
                        std::span<float> images,
                        std::span<std::int32_t> labels);

// -- its parts ---------------------------------------------------------------

/// The labels alone, those that lack included.
void fill_labels(const dataset& from, const batch_samples& of,
                 std::span<std::int32_t> labels);

/// Zeros for the images that lack.
void fill_rest(const dataset& from, const batch_samples& of,
               std::span<float> images);

/// Image number i of the batch.
result<void> read_sample(const dataset& from, const batch_samples& of,
                         std::size_t i, std::span<float> images);

} // namespace pd
