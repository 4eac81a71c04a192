/// The theorems of docs/semantics.md on timetables: 1, what every one of them
/// is; 2, how long the papers say they take.

#include "engine/schedule/validate.hpp"
#include "tests/engine/schedule/every_shape.hpp"

#include <algorithm>
#include <numeric>
#include <string>

using namespace pd;

namespace {

constexpr int most_replicas = 4;
constexpr std::int64_t most_microbatches = 12;

struct sweep_counts {
  std::int64_t sound = 0;
  std::int64_t refused = 0;
};

/// True for schedules whose rounds are theirs to choose.
bool has_rounds(const std::string& name) {
  return name != "model-parallel" && name != "pipedream";
}

/// What a sound timetable must be; "" if it is.
std::string flaw_of(const timetable& all) {
  if (const auto valid = validate(all); !valid)
    return valid.failure().message;
  const auto text = to_string(all);
  const auto again = parse_timetable(text);
  if (!again)
    return again.failure().message;
  return *again == all ? "" : "reads back as another:\n" + text;
}

/// Stops at the first flaw, so that it is what one reads.
void check_one(const schedule_options& options, sweep_counts& counts) {
  const auto made = generate(options);
  if (!made) {
    ++counts.refused;
    if (made.failure().message.find("wanted") == std::string::npos)
      FAIL(options.name << " " << to_string(options.shape) << ": "
                        << made.failure().message);
    return;
  }
  ++counts.sound;
  if (const auto flaw = flaw_of(*made); !flaw.empty())
    FAIL(flaw << to_string(*made));
  if (options.name == "pipedream" || !has_equal_rounds(*made))
    return;
  auto joint = *made;
  joint.joint_updates = true;
  if (const auto flaw = flaw_of(joint); !flaw.empty())
    FAIL(flaw << to_string(joint));
}

void check_shape(schedule_options options, sweep_counts& counts) {
  for (std::int64_t n = 1; n <= most_microbatches; ++n) {
    options.microbatches = n;
    for (std::int64_t m = 1; m <= n; ++m) {
      options.round = m;
      if (n % m == 0 && (has_rounds(options.name) || m == 1))
        check_one(options, counts);
    }
  }
}

sweep_counts sweep(schedule_options options, int most_stages) {
  sweep_counts counts;
  for (int stages = 1; stages <= most_stages; ++stages)
    for (const auto& shape : shapes_of(stages, most_replicas)) {
      options.shape = shape;
      options.shape.chunks = options.name == "interleaved" ? 2 : 1;
      check_shape(options, counts);
    }
  return counts;
}

/// How many timetables are sound; what a schedule does not admit is not among
/// them, so admitted() says that no more than that is refused.
std::int64_t sweep_all(int most_stages) {
  std::int64_t all = 0;
  for (const auto& name : schedule_names())
    all += sweep({.name = name}, most_stages).sound;
  return all
         + sweep({.name = "pipedream", .vertical_sync = true}, most_stages)
             .sound;
}

// How many there are to be, counted without generate().

/// Pairs (m, n) with least | m | n: rounds and epochs of up to 12.
std::int64_t rounds_and_epochs(std::int64_t least) {
  std::int64_t pairs = 0;
  for (std::int64_t m = least; m <= most_microbatches; m += least)
    pairs += most_microbatches / m;
  return pairs;
}

/// Of one shape: model-parallel and pipedream (with vertical sync and without)
/// have epochs of any count of rounds, which share one microbatch a replica;
/// five others choose their rounds, too; and so does interleaved, which gives
/// equal replicas a multiple of as many microbatches as there are stages.
std::int64_t admitted_by(const pipeline_shape& shape) {
  std::int64_t least = 1;
  for (const std::int64_t each : shape.replicas)
    least = std::lcm(least, each);
  const auto made =
    3 * (most_microbatches / least) + 5 * rounds_and_epochs(least);
  const auto stages = static_cast<std::int64_t>(shape.replicas.size());
  const bool is_even =
    std::ranges::count(shape.replicas, shape.replicas[0]) == stages;
  return is_even ? made + rounds_and_epochs(least * stages) : made;
}

std::int64_t admitted(int most_stages) {
  std::int64_t all = 0;
  for (int stages = 1; stages <= most_stages; ++stages)
    for (const auto& shape : shapes_of(stages, most_replicas))
      all += admitted_by(shape);
  return all;
}

// -- theorem 2 ----------------------------------------------------------------

simulation run_of(const timetable& all, const stage_cost& each) {
  const placement place{all.shape};
  return simulate(all,
                  std::vector<stage_cost>(
                    static_cast<std::size_t>(place.virtual_stages()), each));
}

/// The time that the pipeline takes beyond the work of one worker.
double bubble_of(const schedule_options& options, const stage_cost& each) {
  const auto all = generated(options);
  const auto run = run_of(all, each);
  return run.span - run.busy[0];
}

const std::vector<stage_cost> same_at_all_stages{
  {.forward = 1, .input = 1, .weight = 1},
  {.forward = 2, .input = 3, .weight = 1},
  {.forward = 5, .input = 1, .weight = 0}};

} // namespace

TEST_CASE("every small timetable is complete, ordered, free of deadlock, "
          "within its depth and of the right versions",
          "[schedule][theorem][slow]") {
  REQUIRE(admitted(5) == 30'102);
  CHECK(sweep_all(5) == admitted(5));
}

TEST_CASE("every timetable of up to three stages is sound",
          "[schedule][theorem]") {
  REQUIRE(admitted(3) == 3'575);
  CHECK(sweep_all(3) == admitted(3));
}

TEST_CASE("gpipe and 1f1b idle for (p - 1) / (m + p - 1) of the time",
          "[schedule][theorem]") {
  for (const auto* name : {"gpipe", "1f1b"})
    for (int p = 1; p <= 8; ++p)
      for (const std::int64_t m : {1, 2, 3, 8, 32})
        for (const auto& cost : same_at_all_stages) {
          const auto all = generated({.name = name,
                                      .shape = straight(p),
                                      .microbatches = m,
                                      .round = m});
          CHECK(bubble_share(run_of(all, cost))
                == Approx((p - 1.0) / (static_cast<double>(m) + p - 1))
                     .margin(1e-12));
        }
}

TEST_CASE("interleaved idles for 1 / v of what 1f1b does",
          "[schedule][theorem]") {
  for (int p = 2; p <= 6; ++p)
    for (int v = 2; v <= 4; ++v)
      for (const std::int64_t m : {p, 2 * p, 5 * p}) {
        const stage_cost whole{.forward = 12, .input = 12, .weight = 12};
        const stage_cost part{
          .forward = 12.0 / v, .input = 12.0 / v, .weight = 12.0 / v};
        const auto plain = bubble_of(
          {.name = "1f1b", .shape = straight(p), .microbatches = m, .round = m},
          whole);
        const auto looped = bubble_of({.name = "interleaved",
                                       .shape = straight(p, v),
                                       .microbatches = m,
                                       .round = m},
                                      part);
        CHECK(plain == 36 * (p - 1));
        CHECK(looped * v == Approx(plain));
      }
}

TEST_CASE("zero-bubble idles for a third of what 1f1b does",
          "[schedule][theorem]") {
  for (int p = 2; p <= 8; ++p)
    for (const std::int64_t m : {2 * p, 3 * p, 6 * p}) {
      const auto bubble = bubble_of({.name = "zero-bubble",
                                     .shape = straight(p),
                                     .microbatches = m,
                                     .round = m},
                                    {});
      CHECK(bubble == p - 1); // of 1f1b: 3 (p - 1)
    }
}

TEST_CASE("zero-bubble-2p does not idle from a worker's start to its end",
          "[schedule][theorem]") {
  for (int p = 1; p <= 8; ++p)
    for (const std::int64_t m : {2 * p, 3 * p, 6 * p})
      for (const std::int64_t rounds : {1, 3}) {
        const auto all = generated({.name = "zero-bubble-2p",
                                    .shape = straight(p),
                                    .microbatches = rounds * m,
                                    .round = m});
        CHECK(steady_bubble_share(run_of(all, {})) == Approx(0).margin(1e-12));
      }
}

TEST_CASE("pipedream idles at the ends of an epoch only",
          "[schedule][theorem]") {
  for (int p = 1; p <= 8; ++p)
    for (const auto& cost : same_at_all_stages) {
      const auto all = generated(
        {.name = "pipedream", .shape = straight(p), .microbatches = 40});
      const auto run = run_of(all, cost);
      const auto each = cost.forward + cost.input + cost.weight;
      CHECK(run.span == 40 * each + (p - 1) * each);
      const auto& last = run.times.back();
      CHECK(last.back().end - last.front().start == 40 * each);
    }
}
