#include "engine/train/replay_job.hpp"

#include "engine/job/job_file.hpp"
#include "engine/train/worker_plan.hpp"
#include "tests/support/op_harness.hpp"
#include "tests/support/outcome.hpp"
#include "tests/support/scratch_folder.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;
using namespace pd::test;

namespace {

/// A chain; times in ms.
std::string chain(int nodes) {
  std::string text;
  for (int i = 1; i <= nodes; ++i) {
    const auto id = "node" + std::to_string(i);
    text += id
            + " -- Linear -- forward_compute_time=0.1, "
              "backward_compute_time=0.2, activation_size=4000.0, "
              "parameter_size=8000.0\n";
    if (i > 1)
      text += "\tnode" + std::to_string(i - 1) + " -- " + id + "\n";
  }
  return text;
}

job rehearsed(const scratch_folder& in, const std::string& more) {
  const auto text = "[model]\nname = 'lenet'\n" + more;
  const auto from = parse_job(text, in / "job.toml");
  if (!from)
    FAIL(from.failure().message);
  return rehearsal_of(*from, in.write("graph.txt", chain(6)), 8);
}

std::string refusal(const job& of) {
  const auto made = deploy(of, {8, 0}, all_ops());
  REQUIRE(!made);
  return made.failure().message;
}

} // namespace

TEST_CASE("a rehearsal runs every schedule, and its loss is always the same",
          "[train][replay]") {
  const scratch_folder here;
  const std::string stages = "[[stage]]\nuntil = 'node2'\nreplicas = 2\n"
                             "[[stage]]\nuntil = 'node4'\n[[stage]]\n";
  const std::string round = "microbatches = 4\n";
  for (const auto& schedule :
       {std::string{"name = 'pipedream'\n"}, "name = '1f1b'\n" + round,
        "name = 'gpipe'\n" + round, "name = 'pipedream-2bw'\n" + round,
        "name = 'zero-bubble'\n" + round}) {
    INFO(schedule);
    const auto ran =
      outcome_of(rehearsed(here, "[schedule]\n" + schedule + stages));
    REQUIRE(!ran.losses.empty());
    for (const auto loss : ran.losses)
      CHECK(loss == Approx(std::log(2.0)));
  }
}

TEST_CASE("a rehearsal's edges and weights have the profile's bytes, scaled",
          "[train][replay]") {
  const scratch_folder here;
  auto what = rehearsed(here, "[[stage]]\nuntil = 'node3'\n[[stage]]\n");
  what.run.byte_scale = 0.5;
  const auto all = deploy(what, {8, 0}, all_ops());
  REQUIRE(all);
  REQUIRE(all->stages[0].departures.size() == 1);
  const auto node = static_cast<std::size_t>(all->stages[0].departures[0].node);
  CHECK(all->stages[0].net.shapes[node].elems() == 500);
  const auto on = open_device("replay");
  const auto plans = plan_worker(*all, 0, all_ops(), **on);
  REQUIRE(plans);
  std::int64_t elems = 0;
  for (const auto& each : plans->front().parameters)
    elems += each.rule.extents.elems();
  CHECK(elems * 4 == 3 * 4000);
}

TEST_CASE("a job that is no rehearsal's says so before anything runs",
          "[train][replay]") {
  const scratch_folder here;
  const auto what = rehearsed(here, "");
  auto other = what;
  other.data.microbatch = 4;
  CHECK(refusal(other)
        == "data.microbatch: wanted 1, which stands for the profile's "
           "minibatch, with run.device = \"replay\", got 4");
  other = what;
  other.model.file.clear();
  other.model.name = "lenet";
  CHECK(refusal(other)
        == "model.file: wanted a profile with run.device = \"replay\", got "
           "none");
  other = what;
  other.model.file = here.write("empty.txt", "no graph");
  CHECK_THAT(refusal(other), Catch::Contains(here / "empty.txt"));
  other = what;
  other.stages = {{.until = "node9"}, {}};
  CHECK_THAT(refusal(other), Catch::Contains("node9"));
}

TEST_CASE("what only a rehearsal has is refused elsewhere", "[train][replay]") {
  const auto read = parse_job("[model]\nname = 'lenet'\n[run]\n"
                              "time_scale = 2\n",
                              "job.toml");
  REQUIRE(!read);
  CHECK_THAT(read.failure().message,
             Catch::Contains("time_scale") && Catch::Contains("replay"));
}
