/// A job with all that it needs, ready to run: from the job file's words to
/// memory, data and weights.

#pragma once

#include "engine/job/job.hpp"
#include "engine/train/trainer.hpp"

#include <memory>
#include <string>

namespace pd {

/// The network of a job, loss included, as its file or its builder gives it.
/// Errors: unknown_name, bad_value, bad_file.
[[nodiscard]] result<graph> build_graph(const job& from,
                                        const registry& ops);

/// Opens the device of a job. Errors: not_supported.
[[nodiscard]] result<std::unique_ptr<device>> open_job_device(const job& from);

/// The network of a job as one stage: fused, shapes inferred, kernels made,
/// memory placed but not allocated.
/// Errors: bad_shape and others, with the node's name.
[[nodiscard]] result<stage_plan> plan_job(const job& from, const registry& ops,
                                          device& on);

/// The memory of a job by item. Errors: of the optimizer's settings.
[[nodiscard]] result<std::vector<memory_item>> memory_of(const job& from,
                                                         const stage_plan& plan,
                                                         const registry& ops,
                                                         const device& on);

/// Owns all its parts; they go in the reverse order.
struct session {
  job what;
  std::unique_ptr<device> on;
  std::unique_ptr<stage_program> program;
  std::unique_ptr<dataset> training;   ///< null if epochs = 0
  std::unique_ptr<dataset> evaluation; ///< null if evaluate = "never"
  std::unique_ptr<optimizer> updates;  ///< null if epochs = 0
  std::unique_ptr<trainer> loop;
};

/// Opens the data, compiles the network, sets or loads its weights.
/// Errors: all of the above; out_of_memory by item.
[[nodiscard]] result<session> open_session(const job& from,
                                           const registry& ops);

} // namespace pd
