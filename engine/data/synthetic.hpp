/// Images that need no file: noise around one random pattern a class.
///
/// A class is a pattern of 4 x 4 random bytes a channel, resized to the image;
/// a sample is its class's pattern plus noise. The patterns differ by much more
/// than the noise, so whatever learns at all learns them. Sample i is a
/// function of (seed, split, i), and its class is i mod classes.

#pragma once

#include "engine/data/dataset.hpp"

namespace pd {

/// The noise is uniform in -amplitude ... amplitude; a pattern has a standard
/// deviation of about 1 before the resize.
inline constexpr float synthetic_noise_amplitude = 1.0F;

/// Errors: bad_value if the spec has no image size or classes, or extents out
/// of range.
[[nodiscard]] result<std::unique_ptr<dataset>>
open_synthetic(const dataset_spec& spec);

} // namespace pd
