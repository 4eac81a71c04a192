#include "engine/comm/ordered_sum.hpp"
#include "tests/engine/comm/groups.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>

using namespace pd;
using namespace pd::test;

namespace {

std::vector<std::vector<float>> parts_of(std::size_t size, std::size_t elems) {
  std::vector<std::vector<float>> parts;
  for (std::size_t r = 0; r < size; ++r)
    parts.push_back(uneven_floats(elems, 100 * elems + r));
  return parts;
}

/// Adds at every rank; returns how many ranks got other bits.
int wrong_ranks(const ranks& group, std::size_t elems) {
  const auto parts = parts_of(group.size(), elems);
  auto sums = parts;
  const auto said = on_all_ranks(group, [&](communicator& at) {
    return at.sum(sums[static_cast<std::size_t>(at.rank())]);
  });
  REQUIRE(said == all_fine(group.size()));
  const auto wanted = sum_from_the_left(parts);
  return static_cast<int>(std::ranges::count_if(
    sums, [&](const auto& sum) { return !same_bits(sum, wanted); }));
}

bool names_sizes(const std::string& answer) {
  return answer.starts_with("sum: rank")
         && answer.find(" adds 2400 B") != std::string::npos;
}

/// Itself, or by a rank that failed of it first.
bool tells_of_sizes(const std::string& answer) {
  return names_sizes(answer) || answer.ends_with(" left the group");
}

result<void> meet(communicator& at) {
  return at.barrier();
}

result<void> meet_often(communicator& at, std::atomic<int>& came) {
  for (int round = 1; round <= 20; ++round) {
    came += 1;
    PD_CHECK(at.barrier());
    if (came < at.size() * round)
      return error{errc::failed, "passed too early"};
    PD_CHECK(at.barrier());
  }
  return {};
}

} // namespace

TEST_CASE("a sum has the bits of adding rank by rank, for every element",
          "[comm][sum]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  const auto size = GENERATE(1, 2, 3, 4);
  const auto segment_bytes = GENERATE(std::int64_t{256}, std::int64_t{1 << 16});
  const auto group = make_group(kind, size, segment_bytes);
  for (const std::size_t elems :
       {0U, 1U, 2U, 3U, 4U, 63U, 64U, 65U, 1000U, 4097U})
    CHECK(wrong_ranks(group, elems) == 0);
}

TEST_CASE("a long sum has the same bits over every transport and segment",
          "[comm][sum]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  const auto size = GENERATE(2, 3);
  const auto segment_bytes =
    GENERATE(std::int64_t{100'000}, std::int64_t{1 << 20});
  CHECK(wrong_ranks(make_group(kind, size, segment_bytes), 300'001) == 0);
}

TEST_CASE("another order of adding would show", "[comm][sum]") {
  auto parts = parts_of(3, 1000);
  const auto sum = sum_from_the_left(parts);
  std::ranges::reverse(parts);
  CHECK(!same_bits(sum, sum_from_the_left(parts)));
}

TEST_CASE("adding in order may write to any of its parts", "[comm][sum]") {
  const auto into = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{2});
  for (const std::size_t elems : {1U, 1023U, 1024U, 1025U, 5000U}) {
    auto parts = parts_of(3, elems);
    const auto wanted = sum_from_the_left(parts);
    const std::vector<const float*> from{parts[0].data(), parts[1].data(),
                                         parts[2].data()};
    sum_in_order(from, parts[into].data(), static_cast<std::int64_t>(elems));
    CHECK(same_bits(parts[into], wanted));
  }
}

TEST_CASE("a sum along a chain of many segments has the bits of any other",
          "[comm][sum]") {
  const auto size = GENERATE(3, 5);
  const auto group = make_group("chain", size, 8 << 10);
  CHECK(group[0]->route_of(4'000'012) == sum_route::chain);
  CHECK(wrong_ranks(group, 1'000'003) == 0);
}

TEST_CASE("ranks know by their machines which way a sum takes", "[comm][sum]") {
  CHECK(make_group("local", 3)[0]->route_of(1 << 24) == sum_route::at_home);
  CHECK(make_group("gloo", 3)[0]->route_of(1 << 24) == sum_route::at_home);
  const auto machines = make_group("chain", 3);
  CHECK(machines[2]->route_of(1 << 24) == sum_route::chain);
  CHECK(machines[2]->route_of(1 << 10) == sum_route::exchange);
}

TEST_CASE("a sum of different sizes is an error at every rank", "[comm][sum]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo", "chain");
  const auto odd_one =
    GENERATE(std::size_t{0}, std::size_t{9}, std::size_t{700});
  const auto group = make_group(kind, 3, 256);
  const auto said = on_all_ranks(group, [&](communicator& at) {
    std::vector<float> data(at.rank() == 2 ? odd_one : 600);
    return at.sum(data);
  });
  CHECK(std::ranges::all_of(said, tells_of_sizes));
  CHECK(std::ranges::any_of(said, names_sizes)); // the first to fail
  const auto after = on_all_ranks(group, meet);
  CHECK_THAT(after[0], Catch::StartsWith("closed"));
}

TEST_CASE("sums, barriers and transfers do not meet each other's bytes",
          "[comm][sum]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2, 64);
  const auto said = on_all_ranks(group, [](communicator& at) -> result<void> {
    const int peer = 1 - at.rank();
    const auto out = noise(100, 5);
    std::vector<std::byte> in(100);
    auto receiving = at.receive(peer, 0, in); // the tag of the first sum
    std::vector<float> data(100, 1.0F);
    PD_CHECK(at.sum(data));
    PD_CHECK(at.barrier());
    auto sending = at.send(peer, 0, out);
    PD_CHECK(at.sum(data));
    PD_CHECK(sending.wait());
    PD_CHECK(receiving.wait());
    if (in != out || data[99] != 4.0F)
      return error{errc::failed, "mixed up"};
    return {};
  });
  CHECK(said == all_fine(2));
}

TEST_CASE("no rank passes a barrier before all have come", "[comm][sum]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 4);
  std::atomic<int> came = 0;
  const auto said =
    on_all_ranks(group, [&](communicator& at) { return meet_often(at, came); });
  CHECK(said == all_fine(4));
}
