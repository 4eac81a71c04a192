/// A job whose network is an ONNX file (docs/onnx.md).

#pragma once

#include "engine/job/job.hpp"
#include "engine/onnx/onnx_network.hpp"
#include "engine/program/stage_program.hpp"

#include <memory>
#include <vector>

namespace pd {

/// True if the job's model.file is one.
[[nodiscard]] bool is_onnx_job(const job& from);

/// Reads it. Errors: of load_onnx.
[[nodiscard]] result<onnx_network> load_onnx(const job& from,
                                             const registry& ops);

/// Sets what the file has of the parameters of a worker's programs. The file
/// is in memory until this returns; workers that are threads of one process
/// take turns, so it is so once and not once for each.
///
/// Thread: any. Errors: of load_onnx.
[[nodiscard]] result<void>
set_onnx_weights(const std::vector<std::unique_ptr<stage_program>>& to,
                 const job& from, const registry& ops);

} // namespace pd
