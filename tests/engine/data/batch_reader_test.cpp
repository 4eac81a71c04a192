#include "engine/data/batch_reader.hpp"

#include "tests/engine/data/numbered_set.hpp"

#include <catch2/catch.hpp>

#include <numeric>
#include <vector>

using namespace pd;
using namespace pd::test;

namespace {

struct filled {
  std::vector<float> images = std::vector<float>(4 * 40);
  std::vector<std::int32_t> labels = std::vector<std::int32_t>(40);
  result<void> done;
};

filled fill(const dataset& from, batch_reader& team, std::size_t samples) {
  std::vector<std::int64_t> indices(samples);
  std::iota(indices.begin(), indices.end(), std::int64_t{5});
  filled made;
  made.done = team.fill(from, {indices}, made.images, made.labels);
  return made;
}

} // namespace

TEST_CASE("a batch is the same by any number of threads",
          "[data][batch_reader]") {
  const numbered_set set{100};
  batch_reader alone{1};
  for (const std::size_t samples : {40, 33, 1, 0}) {
    const auto wanted = fill(set, alone, samples);
    REQUIRE(wanted.done);
    for (const int threads : {2, 5, 60}) {
      batch_reader team{threads};
      for (int turn = 0; turn < 20; ++turn) {
        const auto got = fill(set, team, samples);
        REQUIRE(got.done);
        REQUIRE(got.images == wanted.images);
        REQUIRE(got.labels == wanted.labels);
      }
    }
  }
}

TEST_CASE("as many samples are read at the same time as there are threads",
          "[data][batch_reader]") {
  numbered_set set{100};
  std::latch all{40}; // no read ends before 40 have begun
  set.together = &all;
  batch_reader team{40};
  CHECK(fill(set, team, 40).done);
}

TEST_CASE("an error is that of the first sample that has one, and of one "
          "batch only",
          "[data][batch_reader]") {
  numbered_set set{100};
  batch_reader team{4};
  for (int turn = 0; turn < 20; ++turn) {
    set.broken = 17;
    set.deadly = 30;
    const auto got = fill(set, team, 40);
    REQUIRE(!got.done);
    REQUIRE(got.done.failure().message == "numbered, sample 17: it is broken");
    set.broken = -1;
    const auto deadly = fill(set, team, 40);
    REQUIRE(!deadly.done);
    REQUIRE(deadly.done.failure().message == "numbered: it is deadly");
    set.deadly = -1;
    REQUIRE(fill(set, team, 40).done);
  }
}
