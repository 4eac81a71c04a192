/// Weights to and from one safetensors file under torchvision's names: what
/// `load_state_dict(strict=True)` takes.

#pragma once

#include "engine/base/error.hpp"
#include "engine/program/pipeline.hpp"
#include "engine/program/stage_program.hpp"

#include <string>
#include <vector>

namespace pd {

/// A parameter or statistic in PyTorch's layout.
struct named_tensor {
  std::string name;
  shape extents;
  bool is_counter = false; ///< i64 in a file; the nearest float here
  std::vector<float> values;
};

/// Every parameter and statistic of a program; waits for its stream.
[[nodiscard]] std::vector<named_tensor> weights_of(stage_program& from);

/// The names of all parameters and statistics of a network.
[[nodiscard]] std::vector<std::string>
weight_names(const std::vector<pipeline_stage>& stages);

/// Of one program.
[[nodiscard]] std::vector<std::string> weight_names(const stage_program& of);

/// Writes f32 in PyTorch's layout, counters i64. Errors: io.
[[nodiscard]] result<void> save_weights(const std::vector<named_tensor>& from,
                                        const std::string& path);

/// Sets every parameter and statistic of a program from a file that holds
/// exactly the tensors `of_model`, of which the program's are a part.
///
/// Errors: io, bad_file; unknown_name for a missing or an extra tensor;
/// bad_shape; bad_value for a dtype that is not a float (a counter: not an
/// integer). The program is unchanged then.
[[nodiscard]] result<void>
load_weights(stage_program& to, const std::string& path,
             const std::vector<std::string>& of_model);

} // namespace pd
