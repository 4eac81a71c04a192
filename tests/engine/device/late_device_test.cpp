#include "tests/support/late_device.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <vector>

using namespace pd;

namespace {

constexpr int unfinished = 0;
constexpr int finished = 42;

/// A value that one stream writes and another reads.
struct handover {
  late_device on{{.threads = 1}, 3, 20};
  std::unique_ptr<late_stream> writer = on.make_late_stream();
  std::unique_ptr<late_stream> reader = on.make_late_stream();
  int value = unfinished;
  int seen = -1;
};

} // namespace

TEST_CASE("a wait that was forgotten shows as an unfinished value",
          "[device][late]") {
  for (int i = 0; i < 20; ++i) {
    handover of;
    of.writer->hold();
    of.writer->run([&] { of.value = finished; });
    of.reader->run([&] { of.seen = of.value; }); // no wait for the writer
    of.reader->synchronize();
    of.writer->release();
    of.writer->synchronize();
    REQUIRE(of.seen == unfinished);
  }
}

TEST_CASE("a stream that waits sees the finished value", "[device][late]") {
  for (int i = 0; i < 20; ++i) {
    handover of;
    of.writer->hold();
    of.writer->run([&] { of.value = finished; });
    of.reader->wait(of.writer->record());
    of.reader->run([&] { of.seen = of.value; });
    const auto read = of.reader->record();
    CHECK(!read.is_done());
    of.writer->release();
    read.block();
    REQUIRE(of.seen == finished);
  }
}

TEST_CASE("an event happens only when all before it is done",
          "[device][late]") {
  late_device on{{}, 5};
  const auto work = on.make_late_stream();
  std::atomic<int> done{0};
  work->hold();
  for (int i = 0; i < 10; ++i)
    work->run([&] { ++done; });
  const auto after = work->record();
  CHECK(!after.is_done());
  CHECK(done == 0);
  work->release();
  after.block();
  CHECK(after.is_done());
  CHECK(done == 10);
}

TEST_CASE("a late stream keeps the order of its work", "[device][late]") {
  late_device on{{}, 7, 50};
  const auto work = on.make_stream();
  std::vector<int> order;
  for (int i = 0; i < 50; ++i)
    work->run([&order, i] { order.push_back(i); });
  work->synchronize();
  REQUIRE(order.size() == 50);
  for (int i = 0; i < 50; ++i)
    CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("two late streams that wait for each other's past do not deadlock",
          "[device][late]") {
  late_device on{{}, 9, 20};
  const auto left = on.make_stream();
  const auto right = on.make_stream();
  int value = 0;
  for (int i = 0; i < 50; ++i) {
    left->wait(right->record());
    left->run([&] { ++value; });
    right->wait(left->record());
    right->run([&] { ++value; });
  }
  left->synchronize();
  right->synchronize();
  CHECK(value == 100);
}

TEST_CASE("a stream that ends does its work first, held or not",
          "[device][late]") {
  late_device on;
  int done = 0;
  event after;
  {
    const auto work = on.make_late_stream();
    work->hold();
    work->run([&] { ++done; });
    after = work->record();
  }
  CHECK(done == 1);
  CHECK(after.is_done());
}

TEST_CASE("the late device is a CPU", "[device][late]") {
  late_device on{{.threads = 2, .memory_bytes = 100}};
  CHECK(on.kind() == device_kind::cpu);
  for (const auto precision : {dtype::f32, dtype::bf16})
    CHECK(on.activation_layout(precision)
          == cpu_device{}.activation_layout(precision));
  CHECK(on.memory().budget_bytes() == 100);
  CHECK(on.describe() == cpu_device{{.threads = 2}}.describe() + ", late");
}
