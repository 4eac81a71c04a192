#include "engine/device/pool.hpp"

#include "engine/device/cpu_device.hpp"
#include "engine/device/tensor.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

using namespace pd;

namespace {

/// Host memory that counts, and has none left when told.
class counted_source final : public memory_source {
public:
  std::byte* acquire(std::int64_t bytes) override {
    if (is_empty)
      return nullptr;
    ++live;
    return static_cast<std::byte*>(
      std::calloc(static_cast<std::size_t>(bytes), 1));
  }
  void release(std::byte* memory, std::int64_t) override {
    --live;
    std::free(memory);
  }

  bool is_empty = false;
  std::atomic<int> live{0};
};

buffer take(pool& from, std::int64_t bytes) {
  auto made = from.allocate(bytes);
  if (!made)
    FAIL(made.failure().message);
  return *std::move(made);
}

} // namespace

TEST_CASE("a pool gives out its budget to the last byte and no more",
          "[device][pool]") {
  pool memory{std::make_shared<counted_source>(), 1000};
  const auto first = take(memory, 600);
  const auto refused = memory.allocate(401);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::out_of_memory);
  CHECK(refused.failure().message
        == "wanted 401 B, 600 B of 1000 B are in use");
  const auto second = take(memory, 400);
  CHECK(memory.in_use_bytes() == 1000);
  CHECK(!memory.allocate(1));
}

TEST_CASE("out_of_memory leaves the pool as it was", "[device][pool]") {
  const auto source = std::make_shared<counted_source>();
  pool memory{source, 1000};
  const auto first = take(memory, 100);
  CHECK(!memory.allocate(901));
  CHECK(!memory.allocate(std::numeric_limits<std::int64_t>::max()));
  CHECK(memory.in_use_bytes() == 100);
  CHECK(memory.peak_bytes() == 100);
  CHECK(source->live == 1);
}

TEST_CASE("a device without memory is an error that takes nothing",
          "[device][pool]") {
  const auto source = std::make_shared<counted_source>();
  source->is_empty = true;
  pool memory{source};
  const auto refused = memory.allocate(64);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::out_of_memory);
  CHECK(refused.failure().message == "wanted 64 B, the device has no more");
  CHECK(memory.in_use_bytes() == 0);
}

TEST_CASE("memory comes back with the last handle", "[device][buffer]") {
  const auto source = std::make_shared<counted_source>();
  pool memory{source, 1000};
  auto first = take(memory, 500);
  auto second = first; // NOLINT(performance-unnecessary-copy-initialization)
  CHECK(second.data() == first.data());
  first = {};
  CHECK(memory.in_use_bytes() == 500);
  second = {};
  CHECK(memory.in_use_bytes() == 0);
  CHECK(memory.peak_bytes() == 500);
  CHECK(source->live == 0);
}

TEST_CASE("a tensor keeps its memory alive, also past its pool",
          "[device][buffer]") {
  tensor kept;
  {
    cpu_device on;
    kept.memory = take(on.memory(), 64);
    kept.type = {{16}, dtype::f32};
  }
  kept.data<float>()[15] = 3;
  CHECK(kept.data<float>()[15] == 3);
}

TEST_CASE("a tensor starts at its offset", "[device][tensor]") {
  cpu_device on;
  const auto memory = take(on.memory(), 64);
  const tensor late{memory, 32, {{8}, dtype::i32}, {}};
  CHECK(late.bytes() == memory.data() + 32);
  CHECK(late.ready.is_done());
}

TEST_CASE("no bytes are an empty buffer", "[device][buffer]") {
  cpu_device on;
  CHECK(!take(on.memory(), 0));
  CHECK(on.memory().in_use_bytes() == 0);
  CHECK(!buffer{});
}

TEST_CASE("memory of the CPU is zero and aligned for any kernel",
          "[device][cpu]") {
  cpu_device on;
  for (const std::int64_t bytes : {1, 63, 64, 4097, (2 << 20) + 1}) {
    const auto memory = take(on.memory(), bytes);
    CHECK(memory.bytes() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % 64 == 0);
    const std::byte* begin = memory.data();
    CHECK(std::count(begin, begin + bytes, std::byte{0}) == bytes);
  }
}

TEST_CASE("more memory than any machine has is refused, and nothing overflows",
          "[device][cpu]") {
  cpu_device on;
  const auto refused =
    on.memory().allocate(std::numeric_limits<std::int64_t>::max());
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::out_of_memory);
  CHECK(on.memory().in_use_bytes() == 0);
}

TEST_CASE("memory that was used is zero again", "[device][cpu]") {
  cpu_device on;
  for (int i = 0; i < 8; ++i) {
    const auto memory = take(on.memory(), 4096);
    CHECK(std::count(memory.data(), memory.data() + 4096, std::byte{0})
          == 4096);
    std::fill_n(memory.data(), 4096, std::byte{0xff});
  }
}

TEST_CASE("handles may be dropped on any thread", "[device][buffer]") {
  pool memory{std::make_shared<counted_source>(), 1 << 20};
  std::vector<std::thread> users;
  users.reserve(4);
  for (int i = 0; i < 4; ++i)
    users.emplace_back([&memory] {
      for (int k = 0; k < 200; ++k)
        if (auto made = memory.allocate(1 + k))
          (*made).data()[k] = std::byte{1};
    });
  for (auto& each : users)
    each.join();
  CHECK(memory.in_use_bytes() == 0);
  CHECK(memory.peak_bytes() <= 800);
}
