/// The random choices that training makes of one image: what part of it, if it
/// is mirrored, how its colours are changed. As torchvision's
/// RandomResizedCrop, RandomHorizontalFlip and ColorJitter choose, but drawn as
/// a function of (seed, epoch, sample), which docs/data.md spells out.

#pragma once

#include "engine/base/random.hpp"
#include "engine/data/color_jitter.hpp"
#include "engine/data/pixels.hpp"

#include <array>
#include <cstdint>

namespace pd {

/// What is chosen from.
struct augmentation {
  /// Least and largest share of the image's area that is kept.
  std::array<double, 2> crop_scale{0.08, 1.0};
  /// Least and largest width over height of that part.
  std::array<double, 2> crop_ratio{3.0 / 4.0, 4.0 / 3.0};
  double flip = 0.5; ///< probability
  /// How far brightness, contrast and saturation may be from 1, hue from 0.
  std::array<double, 4> jitter{};
};

/// Whose choices: `stream` is make_random_key(seed, "image_folder", epoch).
struct choice_key {
  random_key stream;
  std::uint64_t sample = 0;
};

/// The part of a picture that is made into the input.
[[nodiscard]] pixel_box choose_crop(const choice_key& who,
                                    const augmentation& from,
                                    const image_size& picture);

[[nodiscard]] bool choose_flip(const choice_key& who, const augmentation& from);

[[nodiscard]] color_jitter choose_jitter(const choice_key& who,
                                         const augmentation& from);

} // namespace pd
