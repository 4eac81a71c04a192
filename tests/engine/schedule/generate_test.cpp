#include "engine/schedule/generate.hpp"

#include "engine/schedule/validate.hpp"
#include "tests/engine/schedule/every_shape.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

using namespace pd;

namespace {

std::string refusal_of(const schedule_options& options) {
  const auto made = generate(options);
  return made ? "none" : made.failure().message;
}

/// "" if the validator takes it.
std::string flaw_of(const timetable& all) {
  const auto valid = validate(all);
  return valid ? "" : valid.failure().message;
}

/// The version that forward (or backward) k uses, by stage and microbatch.
std::map<std::pair<int, std::int64_t>, std::int64_t>
versions_of(const timetable& all, act kind) {
  const placement place{all.shape};
  std::map<std::pair<int, std::int64_t>, std::int64_t> made;
  for (int worker = 0; worker < place.workers(); ++worker)
    for (const auto& each : all.rows[static_cast<std::size_t>(worker)])
      if (each.kind == kind)
        made[{place.stage_of(worker), each.index}] = each.version;
  return made;
}

/// What one worker's weights go through, epoch after epoch, in versions that
/// go on counting; "" or the first action that would use the wrong ones.
class weights_of_worker {
public:
  std::string run_epoch(const row& cells) {
    base_ = newest_;
    used_.clear();
    for (const auto& each : cells)
      if (!is_right(each))
        return to_string(each);
    return {};
  }

  [[nodiscard]] std::int64_t newest() const { return newest_; }

private:
  bool is_right(const action& cell) {
    if (cell.kind == act::update)
      return ++newest_ == base_ + cell.index;
    const auto version = base_ + cell.version;
    if (cell.kind == act::forward)
      return version <= newest_
             && used_.try_emplace(cell.index, version).second;
    return version == used_.at(cell.index);
  }

  std::int64_t newest_ = 0, base_ = 0;
  std::map<std::int64_t, std::int64_t> used_; ///< by microbatch of this epoch
};

} // namespace

// -- goldens ------------------------------------------------------------------

namespace {

/// By the name of the file in tests/engine/schedule/golden.
const std::map<std::string, schedule_options>& golden_options() {
  static const std::map<std::string, schedule_options> all{
    {"model-parallel",
     {.name = "model-parallel", .shape = {{2, 1}}, .microbatches = 4}},
    {"gpipe",
     {.name = "gpipe", .shape = straight(4), .microbatches = 8, .round = 4}},
    {"1f1b",
     {.name = "1f1b", .shape = straight(4), .microbatches = 16, .round = 8}},
    {"pipedream",
     {.name = "pipedream", .shape = straight(4), .microbatches = 8}},
    {"pipedream_1-3-1",
     {.name = "pipedream", .shape = {{1, 3, 1}}, .microbatches = 12}},
    {"pipedream_vertical_sync",
     {.name = "pipedream",
      .shape = straight(4),
      .microbatches = 8,
      .vertical_sync = true}},
    {"pipedream-2bw",
     {.name = "pipedream-2bw",
      .shape = straight(4),
      .microbatches = 12,
      .round = 4}},
    {"interleaved",
     {.name = "interleaved",
      .shape = straight(4, 2),
      .microbatches = 8,
      .round = 8}},
    {"zero-bubble",
     {.name = "zero-bubble",
      .shape = straight(4),
      .microbatches = 8,
      .round = 8}},
    {"zero-bubble-2p",
     {.name = "zero-bubble-2p",
      .shape = straight(4),
      .microbatches = 8,
      .round = 8}},
  };
  return all;
}

std::string golden_text(const std::string& name) {
  std::ifstream file{PD_SOURCE_DIR "/tests/engine/schedule/golden/" + name
                     + ".timetable"};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

TEST_CASE("each schedule gives its golden timetable", "[schedule][generate]") {
  for (const auto& [name, options] : golden_options()) {
    INFO(name);
    const auto made = generated(options);
    const auto text = golden_text(name);
    CHECK(text.substr(text.find('\n') + 1) == to_string(made));
    CHECK(parsed(text) == made);
  }
}

TEST_CASE("every schedule has a golden timetable", "[schedule][generate]") {
  for (const auto& name : schedule_names())
    CHECK(golden_options().contains(name));
}

// -- versions -----------------------------------------------------------------

TEST_CASE("straight pipedream uses version max(0, k - (S - 1 - s))",
          "[schedule][generate]") {
  for (int stages = 1; stages <= 8; ++stages) {
    const auto all = generated(
      {.name = "pipedream", .shape = straight(stages), .microbatches = 20});
    for (const auto kind : {act::forward, act::backward})
      for (const auto& [where, version] : versions_of(all, kind)) {
        const auto [s, k] = where;
        CHECK(version == std::max<std::int64_t>(0, k - (stages - 1 - s)));
      }
  }
}

TEST_CASE("a second epoch's backwards use what its own forwards used",
          "[schedule][generate]") {
  for (const auto& [name, options] : golden_options()) {
    INFO(name);
    if (options.shape.chunks > 1)
      continue; // a version a chunk: the same rule twice
    const auto all = generated(options);
    const placement place{all.shape};
    for (int i = 0; i < place.workers(); ++i) {
      const auto& cells = all.rows[static_cast<std::size_t>(i)];
      weights_of_worker worker;
      CHECK(worker.run_epoch(cells).empty());
      CHECK(worker.newest() == versions_made(all, place.stage_of(i)));
      CHECK(worker.run_epoch(cells).empty());
      CHECK(worker.newest() == 2 * versions_made(all, place.stage_of(i)));
    }
  }
}

TEST_CASE("straight pipedream has the same staleness in every epoch",
          "[schedule][generate]") {
  const int stages = 4;
  const auto all = generated(
    {.name = "pipedream", .shape = straight(stages), .microbatches = 12});
  for (std::int64_t epoch = 0; epoch < 2; ++epoch)
    for (const auto& [where, version] : versions_of(all, act::backward)) {
      const auto [s, k] = where;
      const auto base = epoch * versions_made(all, s);
      CHECK(base + version
            == epoch * 12 + std::max<std::int64_t>(0, k - (stages - 1 - s)));
    }
}

TEST_CASE("with vertical sync all stages use the version of the first",
          "[schedule][generate]") {
  for (int stages = 1; stages <= 6; ++stages) {
    const auto all = generated({.name = "pipedream",
                                .shape = straight(stages),
                                .microbatches = 20,
                                .vertical_sync = true});
    for (const auto kind : {act::forward, act::backward})
      for (const auto& [where, version] : versions_of(all, kind))
        CHECK(version
              == std::max<std::int64_t>(0, where.second - (stages - 1)));
  }
}

TEST_CASE("with vertical sync no stage uses a microbatch that the first has "
          "not applied",
          "[schedule][generate]") {
  for (const auto& shape : shapes_of(3, 4)) {
    const auto all = generated({.name = "pipedream",
                                .shape = shape,
                                .microbatches = 24,
                                .vertical_sync = true});
    const auto used = versions_of(all, act::forward);
    for (const auto& [where, version] : used)
      CHECK(version * all.rounds[static_cast<std::size_t>(where.first)]
            <= used.at({0, where.second}) * all.rounds[0]);
  }
}

TEST_CASE("pipedream-2bw is one round behind and keeps two versions",
          "[schedule][generate]") {
  const auto all = generated({.name = "pipedream-2bw",
                              .shape = {{4, 2, 1}},
                              .microbatches = 48,
                              .round = 12});
  for (const auto kind : {act::forward, act::backward})
    for (const auto& [where, version] : versions_of(all, kind))
      CHECK(version == std::max<std::int64_t>(0, where.second / 12 - 1));
  for (const auto& cells : all.rows)
    CHECK(versions_kept(cells) <= 2);
}

// -- epochs -------------------------------------------------------------------

TEST_CASE("all stages of unequal replication agree on an epoch's length",
          "[schedule][generate]") {
  for (const auto& shape : shapes_of(3, 4)) {
    const schedule_options options{.name = "pipedream", .shape = shape};
    const auto n = round_microbatches(options, 100);
    REQUIRE(n);
    CHECK(*n <= 100);
    auto whole = options;
    whole.microbatches = *n;
    const auto all = generated(whole);
    for (int stage = 0; stage < 3; ++stage)
      CHECK(versions_made(all, stage)
              * shape.replicas[static_cast<std::size_t>(stage)]
            == *n);
    for (auto more = *n + 1; more <= 100; ++more) {
      whole.microbatches = more;
      CHECK_FALSE(generate(whole)); // it is the largest
    }
  }
}

TEST_CASE("an epoch is the most whole rounds of what there is",
          "[schedule][generate]") {
  const auto length = [](const schedule_options& options,
                         std::int64_t available) {
    const auto made = round_microbatches(options, available);
    return made ? *made : -1;
  };
  CHECK(length({.name = "pipedream", .shape = {{4, 3, 1}}}, 100) == 96);
  CHECK(length({.name = "model-parallel", .shape = {{1, 1}}}, 100) == 100);
  CHECK(length({.name = "1f1b", .shape = {{1, 2}}, .round = 8}, 100) == 96);
  CHECK(length({.name = "1f1b", .shape = {{1, 2}}, .round = 8}, 7) == 0);
  CHECK(length({.name = "1f1b", .shape = {{1, 2}}, .round = 3}, 7) == -1);
}

TEST_CASE("an evaluation takes any count of microbatches on any shape",
          "[schedule][generate]") {
  for (int stages = 1; stages <= 3; ++stages)
    for (auto shape : shapes_of(stages, 3))
      for (const std::int64_t n : {0, 1, 2, 5, 7, 12})
        for (const int chunks : {1, 2}) {
          shape.chunks = chunks;
          if (!check(shape))
            continue;
          const auto all =
            generate_evaluation({.shape = shape, .microbatches = n});
          REQUIRE(all);
          INFO(to_string(*all));
          CHECK(flaw_of(*all).empty());
          CHECK(parsed(to_string(*all)) == *all);
        }
}

TEST_CASE("an evaluation of stages that keep pace does not wait",
          "[schedule][generate]") {
  for (const auto& shape : shapes_of(3, 3)) {
    const auto all = *generate_evaluation({.shape = shape, .microbatches = 36});
    const auto& r = shape.replicas;
    const auto fill = std::max({r[0] + r[1] - 1, r[0], 1}) + r[2];
    CHECK(simulate(all, balanced_costs(shape)).span <= 36 + fill + r[0] + 2);
  }
}

// -- depth --------------------------------------------------------------------

TEST_CASE("on a straight pipeline auto is S - s at stage s",
          "[schedule][depth]") {
  for (const auto* name : {"1f1b", "pipedream", "pipedream-2bw"})
    for (int stages = 1; stages <= 6; ++stages) {
      const auto all = generated({.name = name,
                                  .shape = straight(stages),
                                  .microbatches = 36,
                                  .round = 12});
      for (int s = 0; s < stages; ++s)
        CHECK(all.depth[static_cast<std::size_t>(s)] == stages - s);
    }
}

TEST_CASE("1-3-1 and 4-3-1 run to their end", "[schedule][depth]") {
  for (const auto& shape : {pipeline_shape{{1, 3, 1}}, {{4, 3, 1}}})
    for (const auto& name : schedule_names())
      for (const std::int64_t n : {12, 24, 48, 480}) {
        if (name == "interleaved")
          continue; // wants equal replication
        const auto all = generated(
          {.name = name, .shape = shape, .microbatches = n, .round = 12});
        CHECK(flaw_of(all).empty());
      }
}

TEST_CASE("no other depth is faster than auto, and no smaller one as fast",
          "[schedule][depth]") {
  for (const auto* name : {"1f1b", "pipedream", "pipedream-2bw"})
    for (const auto& shape : shapes_of(2, 4)) {
      schedule_options options{
        .name = name, .shape = shape, .microbatches = 24, .round = 12};
      const auto span_of = [&] {
        const auto made = generate(options);
        return made ? simulate(*made, balanced_costs(shape)).span : 1e9;
      };
      const auto best = span_of();
      const auto chosen = generated(options).depth;
      for (int a = 1; a <= 8; ++a)
        for (int b = 1; b <= 4; ++b) {
          options.depth = {a, b};
          const auto span = span_of();
          CHECK(span >= best);
          if (a <= chosen[0] && b <= chosen[1] && options.depth != chosen)
            CHECK(span > best);
        }
    }
}

TEST_CASE("auto goes deeper where transfers take long", "[schedule][depth]") {
  std::vector<stage_cost> costs(2);
  costs[0].activation_transfer = 3;
  costs[1].gradient_transfer = 3;
  const auto all = generated({.name = "pipedream",
                              .shape = straight(2),
                              .microbatches = 40,
                              .costs = costs});
  CHECK(all.depth == std::vector<int>{4, 1});
}

TEST_CASE("a depth that deadlocks is refused with the cycle of waits",
          "[schedule][depth]") {
  CHECK(refusal_of({.name = "pipedream",
                    .shape = {{2, 1}},
                    .microbatches = 4,
                    .depth = {1, 2}})
        == "pipedream: depth 1 2 deadlocks: worker 0 waits for B1 of worker "
           "1, which waits for B1 of worker 2, which waits for F2 of worker "
           "0");
}

TEST_CASE("a depth that is given is kept, as far as it makes a difference",
          "[schedule][depth]") {
  const schedule_options options{.name = "1f1b",
                                 .shape = straight(2),
                                 .microbatches = 8,
                                 .round = 4,
                                 .depth = {9, 2}};
  CHECK(generated(options).depth == std::vector<int>{4, 2});
}

// -- what is refused ----------------------------------------------------------

TEST_CASE("a schedule says what it does not admit", "[schedule][generate]") {
  CHECK(refusal_of({.name = "1f2b", .shape = straight(2)})
        == "schedule '1f2b' is not known (did you mean '1f1b'?); there are "
           "model-parallel, gpipe, 1f1b, pipedream, pipedream-2bw, "
           "interleaved, zero-bubble, zero-bubble-2p");
  CHECK(refusal_of({.name = "1f1b", .shape = {}})
        == "shape: wanted 1 to 4096 stages, found 0");
  CHECK(refusal_of({.name = "1f1b", .shape = {{1, 0}}})
        == "replicas of stage 1: wanted 1 to 4096, found 0");
  CHECK(refusal_of({.name = "1f1b", .shape = straight(2, 2)})
        == "1f1b: wanted one chunk a worker, found 2");
  CHECK(refusal_of({.name = "interleaved", .shape = straight(2)})
        == "interleaved: wanted at least 2 chunks a worker, found 1");
  CHECK(refusal_of({.name = "interleaved",
                    .shape = straight(4, 2),
                    .microbatches = 6,
                    .round = 6})
        == "interleaved: wanted a round that gives each replica a multiple "
           "of 4 microbatches (the stages), found 6 of a round of 6");
  CHECK(refusal_of(
          {.name = "gpipe", .shape = {{1, 3}}, .microbatches = 8, .round = 4})
        == "gpipe: a round of 4 microbatches is not shared evenly by the "
           "replicas 1-3; wanted a multiple of 3, such as 6");
  CHECK(refusal_of({.name = "pipedream", .shape = {{4, 3}}, .microbatches = 8})
        == "pipedream: 8 microbatches fill no whole rounds of 4-3; wanted a "
           "multiple of 12");
  CHECK(refusal_of({.name = "1f1b",
                    .shape = straight(2),
                    .microbatches = 4,
                    .vertical_sync = true})
        == "1f1b: vertical_sync is pipedream's only");
}

TEST_CASE("a depth or costs that do not fit are refused",
          "[schedule][generate]") {
  schedule_options options{
    .name = "gpipe", .shape = straight(2), .microbatches = 8, .round = 4};
  options.depth = {4};
  CHECK(refusal_of(options)
        == "gpipe: wanted a depth for each of 2 stages, found 1");
  options.depth = {4, 3};
  CHECK(refusal_of(options)
        == "gpipe: stage 1: wanted a depth of at least 4, found 3");
  options.name = "pipedream-2bw";
  options.depth = {5, 1};
  CHECK(refusal_of(options)
        == "pipedream-2bw: stage 0: wanted a depth of at most 4, a replica's "
           "share of a round, found 5");
  options.name = "1f1b";
  options.depth = {0, 1};
  CHECK(refusal_of(options)
        == "1f1b: stage 0: wanted a depth of at least 1, found 0");
  options.depth = {};
  options.costs.resize(3);
  CHECK(refusal_of(options)
        == "1f1b: wanted the costs of 2 virtual stages, found 3");
}
