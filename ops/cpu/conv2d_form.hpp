/// The convolution that oneDNN is asked for in place of a node's own: channels
/// rounded up to whole blocks, and groups merged until each holds whole blocks.
///
/// Invariants:
///
/// (1) Weights at places that the node does not have are zero, and so are their
///     gradients. So the channel padding of y and dx comes out zero.
///
/// Why groups are merged: oneDNN 2.6 has only reference code for a group that
/// is no whole number of blocks (for 32 groups of 4 on AVX2: 500 times slower),
/// or GEMM on plain layout. Two groups of 4 as one of 8 with zeros off the
/// diagonal do twice the arithmetic, but in blocked code. Measured on AVX2, one
/// core, 4 x 128 x 56 x 56, 3 x 3, 32 groups, forward + input + weight: merged
/// 5.2 + 2.9 + 4.0 ms, GEMM with its reorders 9.6 + 15.2 + 16.9 ms.

#pragma once

#include "engine/device/tensor.hpp"
#include "ops/conv2d.hpp"

#include <cstdint>
#include <dnnl.hpp>
#include <span>

namespace pd::cpu {

/// Extents of the node's own weight and of the form's.
struct conv2d_form {
  // -- the node's ------------------------------------------------------------
  std::int64_t groups = 1;
  std::int64_t group_inputs = 1; ///< channels of a group
  std::int64_t group_outputs = 1;
  std::int64_t kernel_elems = 1; ///< kh * kw
  // -- what oneDNN gets ------------------------------------------------------
  std::int64_t form_groups = 1;
  std::int64_t form_inputs = 1; ///< channels of a form group, padding included
  std::int64_t form_outputs = 1;

  dnnl::memory::dims weights; ///< [G,] O, I, kh, kw of the form
  dnnl::memory::dims strides, dilations, padding;

  /// input: may be plain if there are no groups.
  static conv2d_form of(const conv2d& rule, const tensor_type& input,
                        const tensor_type& output);

  [[nodiscard]] std::int64_t bias_elems() const {
    return form_groups * form_outputs;
  }
  [[nodiscard]] std::int64_t weight_elems() const {
    return bias_elems() * form_inputs * kernel_elems;
  }
  /// True if form groups hold zeros between the node's groups, which a
  /// gradient would fill.
  [[nodiscard]] bool is_merged() const {
    return groups > 1 && form_groups < groups;
  }

  /// From PyTorch's [O, I / groups, kh, kw] to the form's plain weights.
  void spread(std::span<const float> plain, std::span<float> form) const;
  /// The reverse; what the node does not have is dropped.
  void gather(std::span<const float> form, std::span<float> plain) const;

private:
  void choose_groups(std::int64_t block, std::int64_t input_channels,
                     std::int64_t output_channels);
  [[nodiscard]] std::int64_t place_of(std::int64_t output,
                                      std::int64_t input) const;
};

} // namespace pd::cpu
