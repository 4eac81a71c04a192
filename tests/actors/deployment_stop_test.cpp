/// A stop while workers start, deploy and join.

#include "actors/actor_runner.hpp"
#include "engine/job/job_file.hpp"
#include "engine/train/session.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

using namespace pd;

namespace {

job small_job(const std::string& workers) {
  const auto made = parse_job(
    "model.name = 'lenet'\ndata.dataset = 'synthetic'\n"
    "run.workers = '"
      + workers + "'\n[[stage]]\nuntil = 'pool1'\nreplicas = 2\n[[stage]]\n",
    "job.toml");
  if (!made)
    FAIL(made.failure().message);
  return *made;
}

} // namespace

TEST_CASE("who is told to stop before the workers are ready starts no job",
          "[actors][processes]") {
  for (const auto* workers : {"threads", "processes"}) {
    INFO(workers);
    const std::atomic<bool> stop{true};
    const auto with = open_session(
      small_job(workers), all_ops(),
      actor_runner::with({{PD_BINARY_DIR "/bin/pd-engine", "worker"}, &stop}));
    REQUIRE(!with);
    CHECK(with.failure().code == errc::interrupted);
    CHECK(with.failure().message
          == "interrupted before all workers were ready");
  }
}
