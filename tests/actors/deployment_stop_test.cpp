/// A stop while workers start, deploy and join.

#include "actors/actor_runner.hpp"
#include "engine/train/session.hpp"
#include "tests/support/deployed_pipeline.hpp"
#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

using namespace pd;

TEST_CASE("who is told to stop before the workers are ready starts no job",
          "[actors][processes]") {
  for (const auto* workers : {"threads", "processes"}) {
    INFO(workers);
    const std::atomic<bool> stop{true};
    const auto with = open_session(
      small_job(small_stages({2, 1}), {std::string{"run.workers="} + workers}),
      all_ops(),
      actor_runner::with(
        {.worker_command = {PD_BINARY_DIR "/bin/pd-engine", "worker"},
         .stop = &stop}));
    REQUIRE(!with);
    CHECK(with.failure().code == errc::interrupted);
    CHECK(with.failure().message
          == "interrupted before all workers were ready");
  }
}
