/// Between bf16 and f32 and between sums, over whole arrays.

#pragma once

#include "engine/base/dtype.hpp"

#include <cstdint>

namespace pd::cpu {

void widen(const bf16* from, float* to, std::int64_t elems);

/// Rounds to nearest, ties to even; a NaN stays a NaN.
void narrow(const float* from, bf16* to, std::int64_t elems);

/// `to` and `from` are f32 or bf16; equal types are copied.
void convert(dtype from_type, const void* from, dtype to_type, void* to,
             std::int64_t elems);

/// x[i] *= factor[i]
void multiply_by(float* x, const float* factor, std::int64_t elems);

/// sum[i] += x[i]
void add_to(float* sum, const float* x, std::int64_t elems);

/// dy[i] = 0 where y[i] <= 0: the gradient of a fused ReLU.
void mask_by_positive(dtype type, const void* y, void* dy, std::int64_t elems);

} // namespace pd::cpu
