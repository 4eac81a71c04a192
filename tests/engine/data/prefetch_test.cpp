#include "engine/data/prefetch.hpp"

#include "engine/base/clock.hpp"
#include "engine/data/batch.hpp"
#include "tests/engine/data/numbered_set.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <vector>

using namespace pd;
using namespace pd::test;
using namespace std::chrono_literals;

namespace {

sampler order_of(const numbered_set& set, std::int64_t microbatch,
                 bool takes_all = false) {
  auto made = sampler::make({.samples = set.size(),
                             .microbatch = microbatch,
                             .seed = 4,
                             .takes_all = takes_all});
  REQUIRE(made);
  return *std::move(made);
}

prefetched_batch next_of(prefetch& ahead) {
  auto got = ahead.next();
  if (!got)
    FAIL(got.failure().message);
  return *std::move(got);
}

/// "epoch.microbatch" of all batches until the end.
std::vector<std::string> all_numbers(prefetch& ahead) {
  std::vector<std::string> numbers;
  while (const auto batch = next_of(ahead))
    numbers.push_back(std::to_string(batch.epoch()) + "."
                      + std::to_string(batch.microbatch()));
  return numbers;
}

/// That it is microbatch k of the current epoch of `order`.
void check_batch(const prefetched_batch& batch, const sampler& order,
                 std::int64_t k) {
  REQUIRE(batch);
  CHECK(batch.epoch() == order.epoch());
  CHECK(batch.microbatch() == k);
  CHECK(batch.samples() == 10);
  const auto indices = order.indices(k);
  int wrong = 0;
  for (std::size_t i = 0; i < indices.size(); ++i)
    if (batch.images()[4 * i + 3] != static_cast<float>(indices[i])
        || batch.labels()[i] != indices[i] % 7)
      ++wrong;
  CHECK(wrong == 0);
}

/// Waits until the reader has read `reads` images and no more come.
void wait_until_full(const numbered_set& set, int reads) {
  while (set.reads < reads)
    std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  CHECK(set.reads == reads);
}

} // namespace

TEST_CASE("prefetched batches are those of the sampler, in order",
          "[data][prefetch]") {
  const numbered_set set{103};
  auto order = order_of(set, 10);
  prefetch ahead{set, order, {.slots = 3, .epochs = 3}};
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    order.start_epoch(epoch);
    for (std::int64_t k = 0; k < 10; ++k)
      check_batch(next_of(ahead), order, k);
  }
  CHECK(!next_of(ahead));
  CHECK(!next_of(ahead)); // and again
}

TEST_CASE("the last batch of an evaluation may be short", "[data][prefetch]") {
  const numbered_set set{7};
  prefetch ahead{set, order_of(set, 5, true), {}};
  CHECK(next_of(ahead).samples() == 5);
  const auto last = next_of(ahead);
  CHECK(last.samples() == 2);
  CHECK(last.labels()[1] != no_label);
  CHECK(last.labels()[2] == no_label);
  CHECK(last.images()[8] == 0.0F);
}

TEST_CASE("a replica gets its microbatches, from where it resumes",
          "[data][prefetch]") {
  const numbered_set set{60};
  using names = std::vector<std::string>;
  prefetch one{set,
               order_of(set, 10),
               {.first_epoch = 2,
                .epochs = 2,
                .first_microbatch = 3,
                .replica = 1,
                .replicas = 2}};
  CHECK(all_numbers(one) == names{"2.3", "2.5", "3.1", "3.3", "3.5"});
  prefetch none{set, order_of(set, 10), {.epochs = 0}};
  CHECK(all_numbers(none).empty());
  prefetch resumed_at_the_end{set, order_of(set, 10), {.first_microbatch = 6}};
  CHECK(all_numbers(resumed_at_the_end).empty());
}

TEST_CASE("no more batches are read ahead than there are slots",
          "[data][prefetch]") {
  const numbered_set set{1000};
  prefetch ahead{set, order_of(set, 10), {.slots = 3}};
  wait_until_full(set, 30);
  const auto held = next_of(ahead);
  wait_until_full(set, 30);
  next_of(ahead).release();
  wait_until_full(set, 40);
}

TEST_CASE("batches may be given back in any order", "[data][prefetch]") {
  const numbered_set set{100};
  prefetch ahead{set, order_of(set, 10), {.slots = 3}};
  auto a = next_of(ahead);
  auto b = next_of(ahead);
  auto c = next_of(ahead);
  const float first = a.images()[0];
  b.release();
  c = next_of(ahead); // gives the third back once the fourth is here
  CHECK(c.microbatch() == 3);
  CHECK(a.images()[0] == first);
  a.release();
  a.release(); // nothing
  CHECK(all_numbers(ahead).size() == 6);
}

TEST_CASE("a prefetch that is full, or waits for its consumer, stops at once",
          "[data][prefetch]") {
  const numbered_set set{100000};
  std::optional<prefetch> ahead;
  ahead.emplace(set, order_of(set, 10), prefetch_options{.slots = 2});
  wait_until_full(set, 20);
  const auto begin_us = now_us();
  ahead.reset();
  CHECK(now_us() - begin_us < 500'000);
}

TEST_CASE("a prefetch in the middle of its work stops after one batch",
          "[data][prefetch]") {
  numbered_set set{100000};
  set.delay = 1ms;
  const auto begin_us = now_us();
  {
    prefetch ahead{set, order_of(set, 10), {.slots = 1000}};
    next_of(ahead);
  }
  CHECK(set.reads < 1000);
  CHECK(now_us() - begin_us < 2'000'000);
}

TEST_CASE("a prefetch may go before it is used at all", "[data][prefetch]") {
  const numbered_set set{1000};
  for (int i = 0; i < 50; ++i)
    prefetch{set, order_of(set, 10), {.slots = 2}};
}

TEST_CASE("a batch may outlive its prefetch", "[data][prefetch]") {
  const numbered_set set{100};
  prefetched_batch kept;
  {
    prefetch ahead{set, order_of(set, 10), {}};
    kept = next_of(ahead);
  }
  CHECK(kept.microbatch() == 0);
  CHECK(kept.images().size() == 40);
}

TEST_CASE("an error comes after the batches before it and then always",
          "[data][prefetch]") {
  numbered_set set{100};
  auto order = order_of(set, 10);
  set.broken = order.indices(2)[4];
  prefetch ahead{set, order, {}};
  CHECK(next_of(ahead).microbatch() == 0);
  CHECK(next_of(ahead).microbatch() == 1);
  for (int i = 0; i < 3; ++i) {
    const auto got = ahead.next();
    REQUIRE(!got);
    CHECK(got.failure().code == errc::bad_file);
    CHECK(got.failure().message
          == "numbered, sample " + std::to_string(set.broken)
               + ": it is broken");
  }
}

TEST_CASE("an exception of a dataset is an error of next()",
          "[data][prefetch]") {
  numbered_set set{100};
  set.deadly = order_of(set, 10).indices(0)[0];
  prefetch ahead{set, order_of(set, 10), {}};
  const auto got = ahead.next();
  REQUIRE(!got);
  CHECK(got.failure().message == "numbered: it is deadly");
}

TEST_CASE("the time that the consumer waits is counted", "[data][prefetch]") {
  numbered_set slow{20};
  slow.delay = 5ms;
  prefetch ahead{slow, order_of(slow, 10), {}};
  CHECK(all_numbers(ahead).size() == 2);
  const auto stats = ahead.stats();
  CHECK(stats.batches == 2);
  CHECK(stats.stall_us >= 20'000);
  CHECK(stats.fill_us >= 100'000);
}

TEST_CASE("a consumer that comes late did not wait", "[data][prefetch]") {
  const numbered_set set{100};
  prefetch ahead{set, order_of(set, 10), {}};
  wait_until_full(set, 40);
  for (int i = 0; i < 4; ++i)
    next_of(ahead);
  CHECK(ahead.stats().stall_us < 20'000);
}
