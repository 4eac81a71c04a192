/// The weight gradient of a depthwise convolution with a wide kernel. oneDNN
/// 2.6 has blocked code for kernels up to 3 pixels wide, and for others one
/// GEMM a channel on plain layout, with reorders before and after it.
///
///     dw[c, i, j] = sum over n, h, w of x[n, c, h s - p + i, w s - p + j]
///                                       dy[n, c, h, w]
///
/// Channels that lie together are a vector; a row of the kernel is in registers
/// while an image is read.
///
/// Invariants:
///
/// (1) Sums go by image, then over images in their order, whatever the threads.

#pragma once

#include "ops/cpu/conv2d_form.hpp"

#include <optional>

namespace pd::cpu {

class depthwise_gradient {
public:
  /// Nothing unless the kernel is 5 or 7 pixels wide, without dilation, and
  /// `weights`, as they are stored, have the lanes of the activations' rows.
  static std::optional<depthwise_gradient>
  make(const conv2d_form& form, const tensor_type& input,
       const tensor_type& output, const dnnl::memory::desc& weights);

  /// adds: to dw, else writes it. Thread: the stage's, with its OpenMP team.
  void run(const void* x, const void* dy, float* dw, bool adds) const;

private:
  depthwise_gradient(const conv2d_form& form, const tensor_type& input,
                     const tensor_type& output, std::int64_t lanes);

  template <class T, int B>
  void run_rows(const T* x, const T* dy, float* dw, bool adds) const;

  tensor_type input_, output_;
  std::int64_t lanes_; ///< channels at once
  std::int64_t kernel_height_, kernel_width_;
  std::int64_t stride_[2], padding_[2]; ///< of height, width
};

} // namespace pd::cpu
