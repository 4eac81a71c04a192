#include "engine/base/random.hpp"
#include "tests/engine/comm/groups.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <future>

using namespace pd;
using namespace pd::test;

namespace {

using bytes = std::vector<std::byte>;

result<void> wait_all(std::vector<transfer>& all) {
  for (auto& each : all)
    PD_CHECK(each.wait());
  return {};
}

error failure_of(transfer& one) {
  const auto done = one.wait();
  return done ? error{errc::bad_value, "succeeded"} : done.failure();
}

/// That nothing is wrong with the group: a message each way.
result<void> talk(communicator& at, std::uint64_t tag) {
  const int peer = 1 - at.rank();
  const auto mine = noise(1000, tag + static_cast<std::uint64_t>(at.rank()));
  bytes theirs(1000);
  auto in = at.receive(peer, tag, theirs);
  auto out = at.send(peer, tag, mine);
  PD_CHECK(out.wait());
  PD_CHECK(in.wait());
  if (theirs != noise(1000, tag + static_cast<std::uint64_t>(peer)))
    return error{errc::failed, "other bytes arrived"};
  return {};
}

/// Edges, and sizes at random up to 3 MB.
std::vector<std::size_t> some_sizes() {
  std::vector<std::size_t> sizes{0, 1, 3, 64, 4096, 65537, 1U << 20U};
  const auto key = make_random_key(3, "sizes");
  for (std::uint64_t i = 0; i < 8; ++i)
    sizes.push_back(static_cast<std::size_t>(uniform(key, i) * 3e6F));
  return sizes;
}

/// Messages to the other rank and from it, all on their way at once.
struct exchange {
  communicator& at;
  int peer = 1 - at.rank();
  std::vector<bytes> in = {};
  std::vector<bytes> out = {};
  std::vector<transfer> all = {};

  static bytes from(int rank, std::size_t size) {
    return noise(size, size + static_cast<std::size_t>(rank));
  }

  void post(std::size_t i) {
    const bool receives_first = (static_cast<int>(i) + at.rank()) % 2 == 0;
    if (receives_first)
      all.push_back(at.receive(peer, i, in[i]));
    all.push_back(at.send(peer, i, out[i]));
    if (!receives_first)
      all.push_back(at.receive(peer, i, in[i]));
  }

  result<void> run(const std::vector<std::size_t>& sizes) {
    for (const auto size : sizes) {
      in.emplace_back(size);
      out.push_back(from(at.rank(), size));
    }
    for (std::size_t i = 0; i < sizes.size(); ++i)
      post(i);
    PD_CHECK(wait_all(all));
    for (const auto& each : in)
      if (each != from(peer, each.size()))
        return error{errc::failed, "wrong bytes"};
    return {};
  }
};

/// Sends or receives so many bytes, and says why that failed.
error post_wrong_size(communicator& at, std::size_t size) {
  bytes memory(size, std::byte{3});
  auto one = at.rank() == 0 ? at.send(1, 9, memory) : at.receive(0, 9, memory);
  auto why = failure_of(one);
  if (std::ranges::count(memory, std::byte{3}) != std::ssize(memory))
    return {errc::failed, "bytes moved"};
  return why;
}

/// Aborts on both sides while the bytes go; "" or what is not whole.
std::string race(const ranks& group, std::uint64_t tag) {
  const auto data = noise(20'000, tag);
  bytes got(data.size());
  auto in = group[1]->receive(0, tag, got);
  auto sending = std::async(std::launch::async, [&] {
    auto out = group[0]->send(1, tag, data);
    out.abort();
    return out.wait().has_value();
  });
  in.abort();
  const bool is_here = in.wait().has_value();
  if (sending.get() != is_here)
    return "one side only";
  return got == (is_here ? data : bytes(data.size())) ? "" : "wrong bytes";
}

} // namespace

TEST_CASE("bytes of any size arrive as they were, both ways at once",
          "[comm][transfer]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  const auto said = on_all_ranks(
    group, [&](communicator& at) { return exchange{at}.run(some_sizes()); });
  CHECK(said == all_fine(2));
}

TEST_CASE("a receive may be posted long before or after its send",
          "[comm][transfer]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto is_early = GENERATE(true, false);
  const auto group = make_group(kind, 2);
  const auto data = noise(100'000, 7);
  bytes got(data.size());
  const auto said = on_all_ranks(group, [&](communicator& at) -> result<void> {
    transfer one;
    if ((at.rank() == 1) == is_early)
      one = at.rank() == 0 ? at.send(1, 5, data) : at.receive(0, 5, got);
    PD_CHECK(talk(at, 900)); // what follows is after what came before, on both
    if ((at.rank() == 1) != is_early)
      one = at.rank() == 0 ? at.send(1, 5, data) : at.receive(0, 5, got);
    return one.wait();
  });
  CHECK(said == all_fine(2));
  CHECK(got == data);
}

TEST_CASE("tags are matched in any order, one tag in the order of posting",
          "[comm][transfer]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 3);
  constexpr std::uint64_t tags = 20;
  const auto said = on_all_ranks(group, [&](communicator& at) -> result<void> {
    std::vector<bytes> in(2 * tags, bytes(500));
    std::vector<bytes> out;
    for (std::uint64_t i = 0; i < 2 * tags; ++i)
      out.push_back(noise(500, i * 3 + static_cast<std::uint64_t>(at.rank())));
    const int next = (at.rank() + 1) % 3;
    const int last = (at.rank() + 2) % 3;
    std::vector<transfer> all;
    for (std::uint64_t i = 0; i < 2 * tags; ++i) // 0, 1 of each tag in turn
      all.push_back(at.receive(last, ~(i / 2), in[i]));
    for (std::uint64_t i = 0; i < 2 * tags; ++i) // tags backward, 0 before 1
      all.push_back(at.send(next, ~(tags - 1 - i / 2),
                            out[2 * (tags - 1 - i / 2) + i % 2]));
    std::ranges::reverse(all);
    PD_CHECK(wait_all(all));
    for (std::uint64_t i = 0; i < 2 * tags; ++i)
      if (in[i] != noise(500, i * 3 + static_cast<std::uint64_t>(last)))
        return error{errc::failed, "message " + std::to_string(i)};
    return {};
  });
  CHECK(said == all_fine(3));
}

TEST_CASE("sizes that differ are an error on both sides and the group goes on",
          "[comm][transfer]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto sizes = GENERATE(
    values<std::array<std::size_t, 2>>({{12, 16}, {3000, 16}, {0, 1}, {1, 0}}));
  const auto group = make_group(kind, 2);
  const auto said = on_all_ranks(group, [&](communicator& at) -> result<void> {
    const auto size = sizes[static_cast<std::size_t>(at.rank())];
    const auto why = post_wrong_size(at, size);
    PD_CHECK(talk(at, 9));
    return why;
  });
  const auto text = "rank 0 sends " + std::to_string(sizes[0])
                    + " B to rank 1, tag 9, which receives "
                    + std::to_string(sizes[1]) + " B";
  CHECK(said == answers{text, text});
}

TEST_CASE("a receive that is aborted frees its waiter and harms no other",
          "[comm][transfer][abort]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  bytes never(100, std::byte{3});
  auto one = group[1]->receive(0, 4, never);
  auto waiting =
    std::async(std::launch::async, [&] { return failure_of(one); });
  one.abort();
  const auto why = waiting.get();
  CHECK(why.code == errc::interrupted);
  CHECK(why.message == "transfer from rank 0 to rank 1, tag 4: aborted");
  CHECK(failure_of(one).message == why.message); // the same when asked again
  const auto said =
    on_all_ranks(group, [](communicator& at) { return talk(at, 4); });
  CHECK(said == all_fine(2));
  CHECK(std::ranges::count(never, std::byte{3}) == 100);
}

TEST_CASE("a send that is aborted frees its waiter, its receive waits on",
          "[comm][transfer][abort]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  const auto other = noise(10, 2);
  const auto data = noise(100, 1);
  bytes got(100);
  auto unwanted = group[0]->send(1, 4, other);
  unwanted.abort();
  CHECK(failure_of(unwanted).code == errc::interrupted);
  auto in = group[1]->receive(0, 4, got);
  auto out = group[0]->send(1, 4, data);
  CHECK(in.wait());
  CHECK(out.wait());
  CHECK(got == data);
}

TEST_CASE("an abort that comes too late changes nothing",
          "[comm][transfer][abort]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  const auto data = noise(300'000, 1);
  bytes got(data.size());
  auto in = group[1]->receive(0, 4, got);
  auto out = group[0]->send(1, 4, data);
  REQUIRE(out.wait());
  out.abort();
  in.abort();
  CHECK(in.wait());
  CHECK(out.wait());
  CHECK(got == data);
}

TEST_CASE("aborts race with arrivals and every transfer is whole or untouched",
          "[comm][transfer][abort]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  for (std::uint64_t i = 0; i < 50; ++i)
    CHECK(race(group, i).empty());
}

TEST_CASE("a transfer that nobody waits for ends with its handle",
          "[comm][transfer]") {
  const auto kind = GENERATE(as<std::string>{}, "local", "gloo");
  const auto group = make_group(kind, 2);
  for (int i = 0; i < 20; ++i) {
    bytes gone(1000);
    (void)group[0]->receive(1, 1, gone);
    (void)group[0]->send(1, 1, gone);
  }
  const auto said =
    on_all_ranks(group, [](communicator& at) { return talk(at, 1); });
  CHECK(said == all_fine(2));
}
