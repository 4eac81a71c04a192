/// Arrays of numbers, with the first difference printed.

#pragma once

#include "engine/base/shape.hpp"

#include <span>
#include <string>

namespace pd {

/// "" if `got` is near `wanted`, else where it first is not.
///
/// Near: every element within relative * max |wanted|, and the norm of the
/// difference within relative * the norm of `wanted`. A NaN is never near.
[[nodiscard]] std::string first_difference(std::span<const float> got,
                                           std::span<const float> wanted,
                                           const shape& extents,
                                           double relative);

} // namespace pd
