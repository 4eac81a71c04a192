/// The theorems of docs/semantics.md on timetables: 1, what every one of them
/// is; 2, how long the papers say they take.

#include "engine/schedule/validate.hpp"
#include "tests/engine/schedule/every_shape.hpp"

#include <string>

using namespace pd;

namespace {

constexpr int most_stages = 5;
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

sweep_counts sweep(schedule_options options) {
  sweep_counts counts;
  for (int stages = 1; stages <= most_stages; ++stages)
    for (const auto& shape : shapes_of(stages, most_replicas)) {
      options.shape = shape;
      options.shape.chunks = options.name == "interleaved" ? 2 : 1;
      check_shape(options, counts);
    }
  return counts;
}

/// The sum over its rounds of what a shape of lcm 1, 2, 3, 4, 6, 12 admits.
constexpr std::int64_t without_rounds = 2721;
constexpr std::int64_t with_rounds = 4366;

} // namespace

TEST_CASE("every small timetable is complete, ordered, free of deadlock, "
          "within its depth and of the right versions",
          "[schedule][theorem]") {
  std::int64_t all = 0;
  for (const auto& name : schedule_names()) {
    const auto counts = sweep({.name = name});
    INFO(name << ": " << counts.sound << " sound, " << counts.refused
              << " refused");
    if (name == "interleaved")
      CHECK(counts.sound == 109);
    else
      CHECK(counts.sound == (has_rounds(name) ? with_rounds : without_rounds));
    all += counts.sound;
  }
  const auto synced = sweep({.name = "pipedream", .vertical_sync = true});
  CHECK(synced.sound == without_rounds);
  all += synced.sound;
  CHECK(all >= 16'000);
  WARN("timetables that are sound: " << all);
}
