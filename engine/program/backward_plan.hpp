/// Which gradients a stage's backward makes, for whom, and what is summed.

#pragma once

#include "engine/program/stage_plan.hpp"

#include <vector>

namespace pd {

/// True for a value that a data loader brings: an image or labels. (A value
/// from another stage has the setting `activation = true`.)
[[nodiscard]] bool is_from_loader(const node& source);

/// For each node: a gradient by its value is of use, since a parameter or
/// another stage lies behind it.
[[nodiscard]] std::vector<bool> carries_gradient(const typed_graph& net);

struct kernel_source {
  const registry& ops;
  device& on;
};

/// Fills in the backward half of `plan`, whose nodes and values are made:
/// gradients, who writes and who reads them, sums and their kernels.
///
/// A value that several nodes take has several gradients. Its own node takes
/// two if its kernel can; the rest is added up as they come, in the order of
/// the backward.
///
/// Errors: not_supported if there is no kernel to add with.
[[nodiscard]] result<void> plan_backward(stage_plan& plan,
                                         const typed_graph& net,
                                         const kernel_source& kernels);

} // namespace pd
