/// Weights to and from one safetensors file under torchvision's names: what
/// `load_state_dict(strict=True)` takes.

#pragma once

#include "engine/base/error.hpp"
#include "engine/program/stage_program.hpp"

#include <string>

namespace pd {

/// Writes every parameter and statistic of the program, f32 in PyTorch's
/// layout, counters i64. Errors: io.
[[nodiscard]] result<void> save_weights(stage_program& from,
                                        const std::string& path);

/// Sets every parameter and statistic from a file that holds exactly them.
///
/// Errors: io, bad_file; unknown_name for a missing or an extra tensor;
/// bad_shape; bad_value for a dtype that is not a float (a counter: not an
/// integer). The program is unchanged then.
[[nodiscard]] result<void> load_weights(stage_program& to,
                                        const std::string& path);

} // namespace pd
