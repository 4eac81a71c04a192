#include "engine/device/replay_device.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <omp.h>

using namespace pd;

namespace {

double us_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>{
    std::chrono::steady_clock::now() - begin}
    .count();
}

} // namespace

TEST_CASE("a replay stream's point is reached when its work's time is over",
          "[device][replay]") {
  const auto on = open_device("replay");
  REQUIRE(on);
  const auto stream = (*on)->make_stream();
  CHECK(us_of([&] {
          stream->run([] { replay_stream::spend(20'000); });
          stream->run([] { replay_stream::spend(10'000); });
          CHECK(stream->record().is_done());
        })
        >= 30'000);
}

TEST_CASE("what a replay stream slept too long is taken off the next sleep",
          "[device][replay]") {
  replay_stream stream;
  constexpr int works = 20;
  constexpr double us = 5'000;
  double before_last = 0;
  const auto all = us_of([&] {
    for (int i = 0; i < works; ++i) {
      stream.run([] { replay_stream::spend(us); });
      before_last = us_of([&] { (void)stream.record(); });
    }
  });
  // All but the last sleep's own lateness is gone again.
  CHECK(all - before_last >= (works - 1) * us - us);
  CHECK(all >= works * us - us);
}

TEST_CASE("work that is on no replay stream spends no time",
          "[device][replay]") {
  replay_stream stream;
  replay_stream::spend(3.6e9);
  cpu_stream{1}.run([] { replay_stream::spend(3.6e9); });
  CHECK(us_of([&] { (void)stream.record(); }) < 1e9);
}

TEST_CASE("a replay device has the memory of a CPU and kernels of its own",
          "[device][replay]") {
  const auto on = open_device("replay");
  REQUIRE(on);
  CHECK((*on)->kind() == device_kind::replay);
  CHECK((*on)->describe() == "replay");
  CHECK((*on)->memory().allocate(64));
}

TEST_CASE("work on a replay stream has a team of one thread",
          "[device][replay]") {
  int threads = 0;
  cpu_stream{2}.run([] {});
  replay_stream{}.run([&] { threads = omp_get_max_threads(); });
  CHECK(threads == 1);
}
