/// Theorems 4 and 6 of docs/semantics.md, on the oracle (5:
/// staleness_test.cpp).

#include "engine/program/oracle.hpp"

#include "tests/support/late_device.hpp"
#include "tests/support/small_pipeline.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace pd;

namespace {

pipeline_shape straight(int stages, int chunks = 1) {
  return {std::vector<int>(static_cast<std::size_t>(stages), 1), chunks};
}

/// Cuts through a residual: sum3's shortcut skips over the second stage.
const std::vector<std::string> three_cuts{"down.bn", "relu2", "relu4"};

/// One worker that accumulates rounds of `round` microbatches.
pipeline_run accumulated(std::int64_t round, std::int64_t microbatches,
                         int epochs = 1) {
  return small_pipeline{{.name = "gpipe",
                         .shape = straight(1),
                         .microbatches = microbatches,
                         .round = round},
                        {}}
    .run(epochs);
}

std::unique_ptr<device> open_late() {
  return std::make_unique<late_device>(device_options{.threads = 1}, 3, 20);
}

double largest_difference(const named_weights& a, const named_weights& b) {
  double most = 0;
  for (const auto& [name, values] : b)
    for (std::size_t i = 0; i < values.size(); ++i)
      most = std::max(most, double{std::abs(values[i] - a.at(name)[i])});
  return most;
}

/// Each replica has statistics of its own microbatches.
pipeline_run without_statistics(pipeline_run of) {
  std::erase_if(of.weights, [](const auto& each) {
    return each.first.find("running_") != std::string::npos
           || each.first.ends_with("num_batches_tracked");
  });
  return of;
}

struct cut_schedule {
  schedule_options how;
  std::vector<std::string> until;
};

/// Every flushing schedule, and on one stage those whose round is one
/// microbatch a replica, with replicated stages.
std::vector<cut_schedule> replicated(int replicas, std::int64_t round,
                                     std::int64_t microbatches) {
  const auto of = [&](const char* name, const pipeline_shape& shape) {
    return schedule_options{.name = name,
                            .shape = shape,
                            .microbatches = microbatches,
                            .round = round};
  };
  std::vector<cut_schedule> made;
  for (const auto* name : {"gpipe", "1f1b", "zero-bubble", "zero-bubble-2p"}) {
    made.push_back({of(name, {{replicas}, 1}), {}});
    made.push_back(
      {of(name, {{replicas, 1, replicas}, 1}), {"down.bn", "relu3"}});
  }
  made.push_back({of("interleaved", {{replicas}, 2}), {"relu3"}});
  for (const auto* name : {"pipedream", "model-parallel"})
    if (round == replicas)
      made.push_back({of(name, {{replicas}, 1}), {}});
  return made;
}

} // namespace

TEST_CASE("flushing schedules give the bits of one worker that accumulates",
          "[program][oracle]") {
  const auto wanted = accumulated(8, 16);
  for (const auto* name : {"gpipe", "1f1b", "zero-bubble", "zero-bubble-2p"}) {
    INFO(name);
    small_pipeline cut{
      {.name = name, .shape = straight(4), .microbatches = 16, .round = 8},
      three_cuts};
    CHECK(cut.run() == wanted);
  }
}

TEST_CASE("interleaved gives the bits of one worker that accumulates",
          "[program][oracle]") {
  small_pipeline cut{{.name = "interleaved",
                      .shape = straight(2, 2),
                      .microbatches = 8,
                      .round = 4},
                     three_cuts};
  CHECK(cut.run() == accumulated(4, 8));
}

TEST_CASE("model-parallel gives the bits of one worker", "[program][oracle]") {
  small_pipeline cut{
    {.name = "model-parallel", .shape = straight(4), .microbatches = 6},
    three_cuts};
  CHECK(cut.run(2) == accumulated(1, 6, 2));
}

TEST_CASE("a pipelined run on a late device gives the same bits",
          "[program][oracle]") {
  for (const auto* name : {"pipedream", "1f1b", "zero-bubble"}) {
    INFO(name);
    const schedule_options how{
      .name = name, .shape = straight(4), .microbatches = 8, .round = 8};
    small_pipeline at_once{how, three_cuts};
    small_pipeline late{how, three_cuts, {.open = open_late}};
    CHECK(late.run() == at_once.run());
  }
}

TEST_CASE("two replicas give the bits of one worker's accumulation over two "
          "microbatches, batch norm's statistics aside",
          "[program][oracle]") {
  const auto wanted = without_statistics(accumulated(2, 8));
  for (const auto& each : replicated(2, 2, 8)) {
    INFO(each.how.name << " on " << to_string(each.how.shape));
    CHECK(without_statistics(small_pipeline{each.how, each.until}.run())
          == wanted);
  }
}

TEST_CASE("three and four replicas give one worker's accumulation within "
          "rounding",
          "[program][oracle]") {
  for (const int replicas : {3, 4}) {
    const auto round = std::int64_t{2} * replicas; // 2 microbatches a replica
    const auto wanted = without_statistics(accumulated(round, 2 * round));
    for (const auto& each : replicated(replicas, round, 2 * round)) {
      INFO(each.how.name << " on " << to_string(each.how.shape));
      const auto got =
        without_statistics(small_pipeline{each.how, each.until}.run());
      CHECK(largest_difference(got.weights, wanted.weights) < 1e-5);
      for (const auto& [k, loss] : wanted.losses)
        CHECK(got.losses.at(k) == Approx(loss).epsilon(1e-5));
    }
  }
  for (const auto* name : {"pipedream", "model-parallel"}) {
    const schedule_options how{
      .name = name, .shape = {{3}, 1}, .microbatches = 9};
    const auto got = small_pipeline{how, {}}.run().weights;
    CHECK(largest_difference(got, without_statistics(accumulated(3, 9)).weights)
          < 1e-5);
  }
}

TEST_CASE("replicas give the same bits however small the buckets are, under "
          "every schedule",
          "[program][oracle]") {
  for (const auto& name : schedule_names()) {
    INFO(name);
    const bool has_chunks = name == "interleaved";
    const schedule_options how{.name = name,
                               .shape = {{2, 2}, has_chunks ? 2 : 1},
                               .microbatches = 16,
                               .round = 8};
    const auto until =
      has_chunks ? three_cuts : std::vector<std::string>{"relu2"};
    const auto wanted = small_pipeline{how, until}.run(2);
    CHECK(small_pipeline{how, until, {.bucket_bytes = 4}}.run(2) == wanted);
    CHECK(small_pipeline{how, until, {.bucket_bytes = 4096}}.run(2) == wanted);
  }
}

TEST_CASE("replicas with small buckets on a late device give the same bits",
          "[program][oracle]") {
  for (const auto* name : {"pipedream", "1f1b", "zero-bubble"}) {
    INFO(name);
    const schedule_options how{
      .name = name, .shape = {{2, 3}, 1}, .microbatches = 12, .round = 12};
    small_pipeline at_once{how, {"relu2"}};
    small_pipeline late{how, {"relu2"}, {.open = open_late, .bucket_bytes = 4}};
    CHECK(late.run() == at_once.run());
  }
}

TEST_CASE("replicas of a stage that trains nothing do not wait for a reduction",
          "[program][oracle]") {
  small_pipeline cut{
    {.name = "gpipe", .shape = {{1, 2, 1}, 1}, .microbatches = 8, .round = 4},
    {"relu4", "drop"}};
  CHECK(cut.run() == accumulated(4, 8));
}

TEST_CASE("rows that run ahead of others give the same bits",
          "[program][oracle]") {
  for (const auto& name : schedule_names()) {
    INFO(name);
    const bool has_chunks = name == "interleaved";
    const schedule_options how{.name = name,
                               .shape = has_chunks
                                          ? pipeline_shape{{2, 2}, 2}
                                          : pipeline_shape{{2, 1, 3, 1}, 1},
                               .microbatches = 24,
                               .round = 12};
    small_pipeline by_turns{how, three_cuts};
    small_pipeline ahead{how, three_cuts};
    CHECK(by_turns.run(2, false) == ahead.run(2, true));
  }
}

TEST_CASE("stages that clip by the norm of all gradients give one worker's "
          "training within rounding, with replicas too",
          "[program][oracle][clip]") {
  constexpr double norm = 0.5;
  const auto of_one = [](double clip_norm) {
    return without_statistics(small_pipeline{
      {.name = "gpipe", .shape = straight(1), .microbatches = 16, .round = 4},
      {},
      {.clip_norm = clip_norm}}.run());
  };
  const auto wanted = of_one(norm);
  REQUIRE(largest_difference(of_one(0).weights, wanted.weights) > 1e-2);
  for (const auto* name :
       {"gpipe", "1f1b", "zero-bubble", "zero-bubble-2p", "interleaved"})
    for (const int replicas : {1, 2}) {
      INFO(name << ", " << replicas << " replicas");
      const bool has_chunks = std::string{name} == "interleaved";
      const schedule_options how{
        .name = name,
        .shape = {{replicas, has_chunks ? replicas : 1}, has_chunks ? 2 : 1},
        .microbatches = 16,
        .round = 4};
      const auto until =
        has_chunks ? three_cuts : std::vector<std::string>{"relu2"};
      const auto got = without_statistics(
        small_pipeline{how, until, {.clip_norm = norm}}.run());
      CHECK(largest_difference(got.weights, wanted.weights) < 1e-5);
      small_pipeline late{how, until, {.open = open_late, .clip_norm = norm}};
      CHECK(without_statistics(late.run(1, true)) == got);
    }
}

TEST_CASE("stages that recompute give the bits of stages that do not, under "
          "every schedule, also on a late device",
          "[program][oracle][recompute]") {
  for (const auto& name : schedule_names()) {
    INFO(name);
    const bool has_chunks = name == "interleaved";
    const schedule_options how{.name = name,
                               .shape = has_chunks
                                          ? pipeline_shape{{2, 2}, 2}
                                          : pipeline_shape{{2, 1, 3, 1}, 1},
                               .microbatches = 24,
                               .round = 12,
                               .vertical_sync = name == "pipedream"};
    const auto wanted = small_pipeline{how, three_cuts}.run(2);
    small_pipeline again{how, three_cuts, {.recomputes = true}};
    small_pipeline late{
      how, three_cuts, {.open = open_late, .recomputes = true}};
    CHECK(again.run(2) == wanted);
    CHECK(late.run(2, true) == wanted);
  }
}

TEST_CASE("pipedream differs from training without a pipeline",
          "[program][oracle]") {
  small_pipeline cut{
    {.name = "pipedream", .shape = straight(4), .microbatches = 8}, three_cuts};
  CHECK(cut.run().losses != accumulated(1, 8).losses);
}

TEST_CASE("1-3-1 and 4-3-1, which deadlock PipeDream, run to the end under "
          "every schedule with depth auto",
          "[program][oracle]") {
  for (const auto& replicas :
       {std::vector<int>{1, 3, 1}, std::vector<int>{4, 3, 1}})
    for (const auto& name : schedule_names()) {
      if (name == "interleaved")
        continue; // wants equal replication
      INFO(name << " on " << to_string({replicas, 1}));
      small_pipeline cut{
        {.name = name, .shape = {replicas, 1}, .microbatches = 24, .round = 12},
        {"down.bn", "relu3"}};
      const auto done = cut.run(2);
      CHECK(done.losses.size() == 48);
      for (const auto& [k, loss] : done.losses)
        CHECK(std::isfinite(loss));
    }
}

TEST_CASE("a row that can never go on says who waits for what",
          "[program][oracle]") {
  small_pipeline cut{
    {.name = "gpipe", .shape = straight(2), .microbatches = 2, .round = 2},
    {"relu2"}};
  auto broken = *cut.all();
  broken.depth = {1, 1}; // gpipe has both in flight
  oracle runs{cut.parts(), cut.links()};
  const auto done =
    runs.run({std::make_shared<const timetable>(broken)},
             {.load = [&](std::int64_t k) -> result<loaded_batch> {
                return cut.batch(k);
              },
              .on_loss = [](const loss_figures&) {},
              .on_update = [](int, std::int64_t, double) -> result<void> {
                return {};
              }});
  REQUIRE(!done);
  CHECK_THAT(done.failure().message,
             Catch::StartsWith("no row can go on: worker 0: F1 waits for"));
}
