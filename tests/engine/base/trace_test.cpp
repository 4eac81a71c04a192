#include "engine/base/trace.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <utility>

using namespace pd;

namespace {

/// A span whose fields all tell its number, so a torn one shows.
span_record numbered(std::int64_t i) {
  return {i % 2 == 0 ? "even" : "odd", i, 10 * i, 10 * i + 5};
}

bool is_whole(const span_record& span) {
  const auto wanted = numbered(span.index);
  return span.name == wanted.name && span.begin_us == wanted.begin_us
         && span.end_us == wanted.end_us;
}

/// Whole spans, each later than the one before.
bool is_in_order(const std::vector<span_record>& spans) {
  std::int64_t last = -1;
  for (const auto& each : spans)
    if (!is_whole(each) || std::exchange(last, each.index) >= each.index)
      return false;
  return true;
}

std::vector<std::int64_t> indices(const trace_ring& of) {
  std::vector<std::int64_t> found;
  for (const auto& each : of.snapshot())
    found.push_back(each.index);
  return found;
}

} // namespace

TEST_CASE("a ring keeps its newest spans, oldest first", "[base][trace]") {
  trace_ring ring{3};
  CHECK(ring.snapshot().empty());
  ring.add(numbered(0));
  ring.add(numbered(1));
  CHECK(indices(ring) == std::vector<std::int64_t>{0, 1});
  for (std::int64_t i = 2; i < 8; ++i)
    ring.add(numbered(i));
  CHECK(indices(ring) == std::vector<std::int64_t>{5, 6, 7});
  for (const auto& each : ring.snapshot())
    CHECK(is_whole(each));
}

TEST_CASE("a ring of no capacity keeps one span", "[base][trace]") {
  trace_ring ring{0};
  ring.add(numbered(0));
  ring.add(numbered(1));
  CHECK(indices(ring) == std::vector<std::int64_t>{1});
}

TEST_CASE("a reader on another thread sees whole spans in their order",
          "[base][trace]") {
  trace_ring ring{16};
  std::atomic<bool> is_reading{false};
  std::atomic<bool> is_over{false};
  bool is_right = true;
  std::thread reader{[&] {
    is_reading = true;
    while (!is_over)
      is_right = is_in_order(ring.snapshot()) && is_right;
  }};
  std::int64_t added = 0;
  while (!is_reading || added < 100000)
    ring.add(numbered(added++));
  is_over = true;
  reader.join();
  CHECK(is_right);
  CHECK(indices(ring).back() == added - 1);
  CHECK(indices(ring).size() == 16);
}
