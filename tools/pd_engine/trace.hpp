/// What workers did, for chrome://tracing and Perfetto.

#pragma once

#include "engine/train/pipeline_runner.hpp"

#include <string>
#include <vector>

namespace pd {

/// Chrome's trace event format: a thread a worker, an event an action, times
/// from the first one on.
[[nodiscard]] std::string trace_json(const std::vector<worker_trace>& from);

} // namespace pd
