/// What every op is held to; each function is a set of CHECKs.

#pragma once

#include "tests/support/op_harness.hpp"

namespace pd {

/// Runs one case and compares it with the golden: 1e-5 in f32, 2e-2 in bf16.
///
/// Forward, both gradients, accumulation, every mode that needs() offers, two
/// microbatches in flight, equal bits when run again.
void check_case(const op_case& of, const op_variant& how);

/// check_case for all goldens of an op: f32 and bf16, both block sizes, with
/// and without input gradients.
void check_goldens(const std::string& op);

struct slope_options {
  double h = 1e-2;        ///< smaller where the op has kinks
  double relative = 1e-2; ///< of the gradient's norm
};

/// The gradients of all inputs and trainable parameters along a random
/// direction against the difference quotient, for all goldens of an op.
void check_difference_quotients(const std::string& op,
                                const slope_options& options = {});

/// The second of two equal calls allocates nothing of ours, for all goldens of
/// an op, f32 and bf16.
void check_allocates_nothing(const std::string& op);

/// The error of the settings or of infer(); "" if both succeed.
[[nodiscard]] std::string refusal(const std::string& op,
                                  const attributes& settings,
                                  const std::vector<shape>& inputs);

} // namespace pd
