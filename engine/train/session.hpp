/// A job with all that it needs, ready to run: from the job file's words to
/// data and a deployment.

#pragma once

#include "engine/checkpoint/checkpoint.hpp"
#include "engine/data/dataset.hpp"
#include "engine/train/trainer.hpp"

#include <functional>
#include <memory>
#include <string>

namespace pd {

/// The data of a job; null what it does not use.
struct job_data {
  std::unique_ptr<dataset> training;
  std::unique_ptr<dataset> evaluation;

  [[nodiscard]] data_sizes sizes() const {
    return {training ? training->size() : 0,
            evaluation ? evaluation->size() : 0};
  }
};

/// Errors: of open_dataset.
[[nodiscard]] result<job_data> open_data(const job& from);

/// Opens the device of a job. Errors: not_supported.
[[nodiscard]] result<std::unique_ptr<device>> open_job_device(const job& from);

/// The weights of a job's whole network, without data or training: initial, or
/// from its weights file. Errors: of deploy and make_worker.
[[nodiscard]] result<std::vector<named_tensor>>
job_weights(const job& from, const registry& ops);

/// Owns all its parts; they go in the reverse order.
struct session {
  job_data data;
  std::shared_ptr<const deployment> plan;
  std::unique_ptr<pipeline_runner> runner;
  std::unique_ptr<trainer> loop;
};

/// Makes what runs a deployment. Datasets are null if no pass uses them.
using runner_maker = std::function<result<std::unique_ptr<pipeline_runner>>(
  std::shared_ptr<const deployment> of, const registry& ops,
  const dataset* training, const dataset* evaluation)>;

/// Opens the data, compiles the network, sets or loads its weights, or goes on
/// from a checkpoint. By default it runs on the calling thread alone, by the
/// oracle.
/// Errors: all of the above; out_of_memory by item; of resume().
[[nodiscard]] result<session>
open_session(const job& from, const registry& ops,
             const runner_maker& make = {},
             const checkpoint* resumed_from = nullptr);

} // namespace pd
