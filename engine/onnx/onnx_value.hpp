/// What stands behind a name of an ONNX file, while its network is made.

#pragma once

#include "engine/onnx/onnx_model.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pd {

/// A whole number that shapes are made of.
struct onnx_number {
  enum class kind : std::uint8_t { known, batch, unknown };

  kind what = kind::known;
  std::int64_t value = 0; ///< if it is known

  [[nodiscard]] bool is_known() const { return what == kind::known; }
  [[nodiscard]] bool is_batch() const { return what == kind::batch; }
  bool operator==(const onnx_number&) const = default;
};

/// Numbers that the file computes: a scalar, or a row.
struct onnx_numbers {
  /// More are no shape's, and not worth computing.
  static constexpr std::size_t most = 1024;

  std::vector<onnx_number> at;
  bool is_scalar = false;
};

/// The output of a node of the network.
struct onnx_activation {
  int node = 0;
  /// Zeros that a Pad put around the image, at each side by axis (height,
  /// width); who takes them in counts them as its own padding.
  std::array<std::int64_t, 2> padding{0, 0};
};

/// An initializer, or a constant.
struct onnx_constant {
  const onnx_tensor* tensor = nullptr; ///< the model's
  std::string name;           ///< as its taker calls it: PyTorch's exporter
                              ///< stores equal tensors once, under other names
  bool is_transposed = false; ///< [0, 1] -> [1, 0]

  /// The extents, transposed if they are to be.
  [[nodiscard]] std::vector<std::int64_t> dims() const;
};

/// What a node makes that is a part of something for which we have one op, or
/// a value of ours in another order: the steps of onnx_pattern.cpp.
struct onnx_pending {
  /// Shapes are those in the file. T: tokens, d: numbers of a head.
  enum class form : std::uint8_t {
    pixels,       ///< [N, C, H W] of an image
    expanded,     ///< a constant [1, 1, C] as [N, 1, C]
    steps,        ///< [T, N, C] of [N, T, C]
    rows,         ///< [T N, C] of [N, T, C]
    part,         ///< [T, N, C / 3]: Q, K or V of [N, T, C]
    split,        ///< [T, N heads, d] of a part
    heads,        ///< [N heads, T, d], times a scale
    flipped,      ///< [N heads, d, T], times a scale
    scores,       ///< [N heads, T, T]
    shares,       ///< the same, after the softmax
    mixed,        ///< [N heads, T, d] of the attention's output
    mixed_steps,  ///< [T, N heads, d]
    over_root_2,  ///< x / sqrt(2), then what gelu is made of
    erf,          ///< erf(x / sqrt(2))
    erf_plus_1,   ///< 1 + erf(x / sqrt(2))
    x_erf_plus_1, ///< x (1 + erf(x / sqrt(2)))
    mean,         ///< over the last axis; then what layer_norm is made of
    centered,     ///< x - mean
    squares,      ///< (x - mean)^2
    variance,     ///< the mean of squares
    variance_eps, ///< variance + eps
    deviation,    ///< sqrt(variance + eps)
    normalized,   ///< (x - mean) / deviation
    scaled,       ///< weight (x - mean) / deviation
  };

  form what = form::pixels;
  int node = -1;                 ///< of the network, whose output it is about
  const onnx_node* by = nullptr; ///< who made it
  std::int64_t part = 0;         ///< 0: Q, 1: K, 2: V
  std::int64_t heads = 0;
  double number = 1; ///< the scale, or eps
  onnx_constant weight = {};
};

/// Without a value: what was left out.
using onnx_value = std::variant<std::monostate, onnx_activation, onnx_constant,
                                onnx_numbers, onnx_pending>;

/// The numbers of a value, if it is of whole numbers and small.
[[nodiscard]] std::optional<onnx_numbers> numbers_of(const onnx_value& from);

/// The one number of a value. Empty if it is not one, or not known.
[[nodiscard]] std::optional<std::int64_t> integer_of(const onnx_value& from);

/// The one real of a constant. Empty if it is not one.
[[nodiscard]] std::optional<float> real_of(const onnx_value& from);

} // namespace pd
