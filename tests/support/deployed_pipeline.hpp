/// A job on the small network, deployed as `pd-engine run` does it and run by
/// the oracle: for tests that look at workers from inside.

#pragma once

#include "engine/program/oracle.hpp"
#include "engine/train/deployment.hpp"
#include "engine/train/worker_parts.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// A job: the small network, 99 samples in microbatches of 4 for an epoch (24
/// microbatches) and for an evaluation (25, the last one short). more: the rest
/// of the job file; overrides: as of --set.
[[nodiscard]] job small_job(const std::string& more,
                            const std::vector<std::string>& overrides = {});

/// [[stage]] tables for 1 to 4 stages with these replicas; the cuts go through
/// a residual.
[[nodiscard]] std::string small_stages(const std::vector<int>& replicas);

/// LeNet on synthetic images of 12x12, 64 samples in microbatches of 4 for an
/// epoch and 32 for an evaluation, with these [[stage]] tables: for tests of
/// one actor, which need no workers. Ends the test if it cannot be deployed.
[[nodiscard]] std::shared_ptr<const deployment>
deployed_lenet(const std::string& stages);

/// As run_pass::microbatches: more than any pass here has.
inline constexpr std::int64_t whole_pass = 1'000;

/// A deployment with its workers. Ends the test if the job cannot be deployed.
class deployed_pipeline {
public:
  explicit deployed_pipeline(const job& what);
  ~deployed_pipeline();

  /// @pre the job trains, or evaluates
  void train(std::int64_t epoch);
  void evaluate();

  deployment all;
  std::vector<worker_parts> workers;

  /// See oracle_calls.
  bool runs_ahead = false;
  std::function<void(int worker)> on_action;

private:
  void run(const std::shared_ptr<const timetable>& what, std::int64_t first);

  std::unique_ptr<device> loader_; ///< the batches' memory is its
  std::unique_ptr<oracle> runs_;
};

} // namespace pd
