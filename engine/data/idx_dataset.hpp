/// Datasets of IDX files: a folder of four, as MNIST has them, each plain or
/// with ".gz" after its name.
///
///     train-images-idx3-ubyte  train-labels-idx1-ubyte
///     t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte
///
/// Held in memory whole, as bytes.

#pragma once

#include "engine/data/dataset.hpp"

namespace pd {

/// The folder of `spec.path`. Pixels are scaled by `spec.scale`.
///
/// Errors: those of read_idx; bad_file if there are not as many labels as
/// images or a label is not below `spec.classes`; bad_value if the images
/// cannot be made into the spec's.
[[nodiscard]] result<std::unique_ptr<dataset>>
open_idx_dataset(const dataset_spec& spec);

/// Where Debian's package dataset-fashion-mnist puts its files.
inline constexpr auto fashion_mnist_folder =
  "/usr/share/datasets/fashion-mnist";

/// Fashion-MNIST, from `spec.path` or else its usual place.
/// Errors: those of open_idx_dataset; if it is missing, names the package.
[[nodiscard]] result<std::unique_ptr<dataset>>
open_fashion_mnist(const dataset_spec& spec,
                   const std::string& usual_place = fashion_mnist_folder);

} // namespace pd
