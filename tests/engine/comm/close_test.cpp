#include "tests/engine/comm/groups.hpp"

#include <catch2/catch.hpp>

#include <future>

using namespace pd;
using namespace pd::test;

namespace {

using bytes = std::vector<std::byte>;

/// "failed: rank 1 left the group"
std::string text_of(const result<void>& done) {
  return done ? "fine"
              : std::string{to_string(done.failure().code)} + ": "
                  + done.failure().message;
}

std::future<std::string> wait_aside(transfer& one) {
  return std::async(std::launch::async, [&one] { return text_of(one.wait()); });
}

result<void> add_meet_and_leave(communicator& at) {
  std::vector<float> data(997, 1.0F);
  PD_CHECK(at.sum(data));
  PD_CHECK(at.barrier());
  at.close();
  return {};
}

} // namespace

TEST_CASE("close frees every waiter, here and at the peers", "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 3);
  bytes memory(100);
  bytes more(100);
  auto in = group[0]->receive(1, 1, memory);
  auto out = group[0]->send(2, 2, memory);
  auto theirs = group[1]->receive(0, 3, more);
  auto theirs_out = group[2]->send(0, 4, more);
  auto waiting = wait_aside(in);
  auto sending = wait_aside(out);
  auto peer_waiting = wait_aside(theirs);
  auto peer_sending = wait_aside(theirs_out);
  group[0]->close();
  CHECK(waiting.get() == "interrupted: closed");
  CHECK(sending.get() == "interrupted: closed");
  CHECK(peer_waiting.get() == "failed: rank 0 left the group");
  CHECK(peer_sending.get() == "failed: rank 0 left the group");
}

TEST_CASE("close frees a sum and a barrier that wait for a rank",
          "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  const auto closes_here = GENERATE(true, false);
  const auto is_sum = GENERATE(true, false);
  const auto group = make_group(kind, 3);
  std::vector<std::future<std::string>> waiting;
  for (std::size_t r = 0; r < 2; ++r)
    waiting.push_back(std::async(std::launch::async, [&group, is_sum, r] {
      std::vector<float> data(1000);
      return text_of(is_sum ? group[r]->sum(data) : group[r]->barrier());
    }));
  group[closes_here ? 0 : 2]->close();
  const auto first = waiting[0].get();
  const auto second = waiting[1].get();
  if (closes_here) {
    CHECK(first == "interrupted: closed");
    CHECK(second == "failed: rank 0 left the group");
  } else { // who fails closes too, so either may hear of the other first
    CHECK_THAT(first, Catch::Contains("left the group"));
    CHECK_THAT(second, Catch::Contains("left the group"));
    CHECK_THAT(first + second, Catch::Contains("rank 2"));
  }
}

TEST_CASE("who leaves out of a barrier frees a rank that waits for another",
          "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  const auto group = make_group(kind, 3); // rank 2 never comes
  std::vector<std::future<std::string>> waiting;
  for (std::size_t r = 0; r < 2; ++r)
    waiting.push_back(std::async(std::launch::async, [&group, r] {
      return text_of(group[r]->barrier());
    }));
  bytes there(1);
  bytes here(1);
  for (std::uint64_t tag = 0; tag < 50; ++tag) { // time to meet each other
    auto in = group[1]->receive(0, tag, there);
    auto out = group[0]->send(1, tag, here);
    CHECK(in.wait());
    CHECK(out.wait());
  }
  group[0]->close();
  CHECK(waiting[0].get() == "interrupted: closed");
  CHECK(waiting[1].get() == "failed: rank 0 left the group");
}

TEST_CASE("a closed communicator refuses, and so do its peers toward it",
          "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 3);
  bytes memory(100);
  group[0]->close();
  group[0]->close();
  CHECK(text_of(group[0]->send(1, 1, memory).wait()) == "interrupted: closed");
  CHECK(text_of(group[0]->receive(2, 1, memory).wait())
        == "interrupted: closed");
  CHECK(text_of(group[0]->barrier()) == "interrupted: closed");
  CHECK(text_of(group[1]->receive(0, 1, memory).wait())
        == "failed: rank 0 left the group");
  bytes got(100);
  auto in = group[2]->receive(1, 1, got); // they go on without it
  auto out = group[1]->send(2, 1, memory);
  CHECK(out.wait());
  CHECK(in.wait());
}

TEST_CASE("what was sent before a close arrives after it", "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  for (std::uint64_t i = 0; i < 5; ++i) {
    auto group = make_group(kind, 2);
    const auto data = noise(2'000'000, i);
    bytes got(data.size());
    bytes never(10);
    auto in = group[1]->receive(0, 1, got);
    auto more = group[1]->receive(0, 2, never);
    auto out = group[0]->send(1, 1, data);
    REQUIRE(out.wait());
    group[0].reset();
    CHECK(text_of(more.wait()) == "failed: rank 0 left the group");
    REQUIRE(text_of(in.wait()) == "fine");
    REQUIRE(got == data);
  }
}

TEST_CASE("a rank may leave right after a sum or barrier that others still end",
          "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  for (int i = 0; i < 5; ++i)
    CHECK(on_all_ranks(make_group(kind, 3, 256), add_meet_and_leave)
          == all_fine(3));
}

TEST_CASE("transfers may outlive their communicator", "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  auto group = make_group(kind, 2);
  bytes memory(100);
  auto in = group[0]->receive(1, 1, memory);
  auto out = group[0]->send(1, 1, memory);
  group.clear();
  CHECK(text_of(in.wait()) == "interrupted: closed");
  CHECK(text_of(out.wait()) == "interrupted: closed");
}

TEST_CASE("groups do not hear of each other", "[comm][close]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto a = make_group(kind, 2);
  const auto b = make_group(kind, 2);
  const auto data = noise(100, 2);
  bytes in_a(100);
  bytes in_b(100);
  auto from_a = a[0]->receive(1, 1, in_a);
  auto from_b = b[0]->receive(1, 1, in_b);
  auto to_a = a[1]->send(0, 1, data);
  CHECK(from_a.wait());
  a[1]->close();
  auto to_b = b[1]->send(0, 1, data);
  CHECK(from_b.wait());
  CHECK(in_b == data);
}
