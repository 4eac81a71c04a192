#include "tests/support/outcome.hpp"

#include "tests/support/op_harness.hpp"

#include <catch2/catch.hpp>

#include <atomic>

namespace pd {

outcome outcome_of(const job& what, const runner_maker& make,
                   const checkpoint* from) {
  auto with = open_session(what, all_ops(), make, from);
  if (!with)
    FAIL(with.failure().message);
  outcome made;
  const std::atomic<bool> never{false};
  const auto done = with->loop->run(
    {[&](const update_metrics& at, const train_progress&) -> result<void> {
       made.losses.push_back(at.loss);
       return {};
     },
     [](const train_progress&) {},
     [&](const evaluation_metrics& at) -> result<void> {
       made.evaluations.push_back(at.loss);
       return {};
     }},
    never);
  if (!done)
    FAIL(done.failure().message);
  const auto weights = with->runner->weights();
  REQUIRE(weights);
  for (const auto& each : *weights)
    made.weights[each.name] = each.values;
  return made;
}

std::string describe(const job& what) {
  auto text = what.schedule.name + (what.model.file.empty() ? "" : " residual");
  for (std::size_t s = 0; s < what.stages.size(); ++s)
    text += (s == 0 ? " " : "-") + std::to_string(what.stages[s].replicas)
            + (what.stages[s].recompute ? " again" : "");
  return text;
}

} // namespace pd
