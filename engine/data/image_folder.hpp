/// Images in files, as ImageNet has them: `path`/train/CLASS/*.JPEG and
/// `path`/val/CLASS/*.JPEG (image_files.hpp says what counts).
///
///     file ─▶ decoded where and as small as it may be ─▶ resized, mirrored
///          ─▶ colours changed ─▶ (x - mean) / std ─▶ f32 [C, H, W]
///
/// Training takes a random part (image_choices.hpp); evaluation resizes the
/// shorter side and takes the middle. docs/data.md says it exactly.
///
/// Invariants:
///
/// (1) What sample i of an epoch is, is a function of (seed, epoch, i) and the
///     files: not of who reads it, when, or what was read before.
///
/// (2) A file that cannot be decoded is replaced by the next one of its class
///     that can be, with the random choices of the sample: so labels are known
///     without decoding.

#pragma once

#include "engine/data/dataset.hpp"

namespace pd {

/// Errors: io, bad_file if the folders are not as above; bad_value if there are
/// more classes than `spec.classes`, or channels are neither 1 nor 3.
[[nodiscard]] result<std::unique_ptr<dataset>>
open_image_folder(const dataset_spec& spec);

/// The shorter side that an evaluation image is resized to, of `spec`: its
/// own, or else the larger extent times 256 / 224, rounded down.
[[nodiscard]] int evaluation_extent(const dataset_spec& spec);

} // namespace pd
