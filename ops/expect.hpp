/// What rules check of their inputs, with one wording.

#pragma once

#include "engine/base/error.hpp"
#include "engine/base/shape.hpp"
#include "engine/graph/attributes.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace pd {

/// The one input, of rank 4. Errors: bad_shape.
[[nodiscard]] result<shape> one_image(const std::string& op,
                                      std::span<const shape> inputs);

/// The one input, of rank 2. Errors: bad_shape.
[[nodiscard]] result<shape> one_row(const std::string& op,
                                    std::span<const shape> inputs);

/// The one input, of rank 2 or 3: what works along the last axis.
/// Errors: bad_shape.
[[nodiscard]] result<shape> one_of_features(const std::string& op,
                                            std::span<const shape> inputs);

/// The one input, of rank 3. Errors: bad_shape.
[[nodiscard]] result<shape> one_of_tokens(const std::string& op,
                                          std::span<const shape> inputs);

/// The setting `kernel`, which has no default.
[[nodiscard]] std::array<std::int64_t, 2>
read_kernel(attribute_reader& read, const attributes& settings);

/// A window that slides over an image.
struct sliding_window {
  std::array<std::int64_t, 2> kernel{1, 1};
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 2> padding{0, 0};
  std::array<std::int64_t, 2> dilation{1, 1};
  bool ceil_mode = false; ///< PyTorch's, for pools

  /// Pixels that the kernel spans on an axis (0: height), dilation included.
  [[nodiscard]] std::int64_t span(int axis) const {
    const auto i = static_cast<std::size_t>(axis);
    return dilation[i] * (kernel[i] - 1) + 1;
  }

  /// How often it fits along an axis; 0 if not at all.
  [[nodiscard]] std::int64_t outputs_along(int axis, std::int64_t extent) const;

  /// Errors: bad_value if some window would hold nothing but padding.
  [[nodiscard]] result<void> check_pool_padding(const std::string& op) const;

  /// How often it fits into an image [N, C, H, W], as {height, width}.
  /// Errors: bad_shape if not at all.
  [[nodiscard]] result<std::array<std::int64_t, 2>>
  outputs(const std::string& op, const shape& image) const;
};

} // namespace pd
