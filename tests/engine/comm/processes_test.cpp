#include "engine/base/clock.hpp"
#include "tests/engine/comm/child.hpp"
#include "tests/engine/comm/groups.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <future>
#include <thread>
#include <unistd.h>

using namespace pd;
using namespace pd::test;
using namespace std::chrono_literals;

namespace {

using bytes = std::vector<std::byte>;
using call = std::function<result<void>()>;

/// "failed: rank 1 is gone: ..."
std::string text_of(const result<void>& done) {
  return done ? "fine"
              : std::string{to_string(done.failure().code)} + ": "
                  + done.failure().message;
}

std::future<std::string> start(call work) {
  return std::async(std::launch::async,
                    [work = std::move(work)] { return text_of(work()); });
}

/// What it says within three seconds.
std::string soon(std::future<std::string>& answer, communicator& at) {
  if (answer.wait_for(3s) == std::future_status::timeout)
    at.close();
  else
    return answer.get();
  return "LATE " + answer.get();
}

/// Two ranks here, and one that only joins until it is killed.
struct two_and_a_child {
  store_folder folder;
  child third{[this] {
    const auto self = join_group(folder, 2, 3);
    ::pause();
  }};
  std::future<std::unique_ptr<communicator>> joining =
    std::async(std::launch::async, [this] { return join_group(folder, 1, 3); });
  std::unique_ptr<communicator> first = join_group(folder, 0, 3);
  std::unique_ptr<communicator> second = joining.get();
};

constexpr std::size_t long_bytes = 96U << 20U;

/// A store in memory that can be closed, and says how many ranks listen.
class closing_store final : public rendezvous_store {
public:
  result<void> set(const std::string& key, bytes value) override {
    PD_CHECK(values_.set(key, std::move(value)));
    if (key.find("/addresses") != std::string::npos)
      ++listening;
    return {};
  }

  result<bytes> get(const std::string& key,
                    std::chrono::milliseconds timeout) override {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!is_closed && time_until(deadline) > 0ms)
      if (auto found = values_.get(key, 1ms))
        return found;
    return error{errc::io, is_closed ? "the store is closed" : "too late"};
  }

  std::atomic<int> listening = 0;
  std::atomic<bool> is_closed = false;

private:
  memory_store values_;
};

/// The same for a rank that goes no further than to listen, until it is closed.
class stuck_store final : public rendezvous_store {
public:
  explicit stuck_store(closing_store& of) : of_{of} {}

  result<void> set(const std::string& key, bytes value) override {
    return of_.set(key, std::move(value));
  }

  result<bytes> get(const std::string& key,
                    std::chrono::milliseconds timeout) override {
    if (key.find("/addresses") == std::string::npos)
      return of_.get(key, timeout);
    return of_.get("what nobody sets", timeout);
  }

private:
  closing_store& of_;
};

} // namespace

TEST_CASE("who waits for a rank that is killed gets an error that names it",
          "[comm][gloo][death]") {
  two_and_a_child group;
  bytes memory(100);
  bytes more(100);
  auto in = group.first->receive(2, 1, memory);
  auto out = group.first->send(2, 1, memory);
  auto theirs = group.second->receive(2, 1, more);
  auto late = group.second->receive(0, 5, more);
  auto receiving = start([&] { return in.wait(); });
  auto sending = start([&] { return out.wait(); });
  auto other = start([&] { return theirs.wait(); });
  group.third.kill();
  const auto wanted = Catch::StartsWith("failed: rank 2 is gone: ");
  CHECK_THAT(soon(receiving, *group.first), wanted);
  CHECK_THAT(soon(sending, *group.first), wanted);
  CHECK_THAT(soon(other, *group.second), wanted);
  CHECK_THAT(text_of(group.first->receive(2, 1, memory).wait()), wanted);
  auto still = group.first->send(1, 5, memory); // the others go on
  CHECK(text_of(still.wait()) == "fine");
  CHECK(text_of(late.wait()) == "fine");
}

TEST_CASE("a sum or barrier of a rank that is killed fails and names it",
          "[comm][gloo][death]") {
  const bool is_sum = GENERATE(true, false);
  two_and_a_child group;
  std::vector<std::future<std::string>> waiting;
  for (auto* each : {group.first.get(), group.second.get()})
    waiting.push_back(start([each, is_sum] {
      std::vector<float> data(100'000);
      return is_sum ? each->sum(data) : each->barrier();
    }));
  group.third.kill();
  const auto first = soon(waiting[0], *group.first);
  const auto second = soon(waiting[1], *group.second);
  for (const auto& each : {first, second}) // who fails first closes, too
    CHECK_THAT(each, Catch::StartsWith("failed: rank 2 is gone: ")
                       || Catch::EndsWith(" left the group"));
  CHECK_THAT(first + second, Catch::Contains("rank 2 is gone"));
}

TEST_CASE("a group made anew after a death works", "[comm][gloo][death]") {
  two_and_a_child group;
  group.third.kill();
  CHECK_THAT(text_of(group.first->barrier()), Catch::StartsWith("failed: "));
  group.second->close();
  auto joining = std::async(std::launch::async, [&] {
    return join_group(group.folder, 1, 2, "second life");
  });
  ranks anew;
  anew.push_back(join_group(group.folder, 0, 2, "second life"));
  anew.push_back(joining.get());
  const auto said =
    on_all_ranks(anew, [](communicator& at) { return at.barrier(); });
  CHECK(said == all_fine(2));
}

TEST_CASE("a rank that is killed while its bytes arrive frees the receiver",
          "[comm][gloo][death]") {
  constexpr std::uint64_t messages = 6;
  constexpr auto one_bytes = long_bytes / messages;
  store_folder folder;
  child sender{[&] {
    const auto self = join_group(folder, 1, 2);
    const bytes data(one_bytes);
    for (std::uint64_t i = 0; i + 1 < messages; ++i)
      (void)self->send(0, i, data).wait();
    ::pause(); // the last never comes
  }};
  const auto self = join_group(folder, 0, 2);
  bytes memory(long_bytes);
  std::vector<transfer> in;
  for (std::uint64_t i = 0; i < messages; ++i)
    in.push_back(
      self->receive(1, i, std::span{memory}.subspan(i * one_bytes, one_bytes)));
  REQUIRE(text_of(in[0].wait()) == "fine");
  sender.kill(); // while the next are on their way
  auto receiving = start([&] {
    for (auto& each : in)
      if (auto done = each.wait(); !done)
        return done;
    return result<void>{};
  });
  CHECK_THAT(soon(receiving, *self),
             Catch::StartsWith("failed: rank 1 is gone: "));
}

TEST_CASE("a rank that is killed while bytes go to it frees the sender",
          "[comm][gloo][death]") {
  store_folder folder;
  child receiver{[&] {
    const auto self = join_group(folder, 1, 2);
    bytes memory(long_bytes);
    auto in = self->receive(0, 1, memory);
    (void)self->barrier();
    std::raise(SIGSTOP);
  }};
  const auto self = join_group(folder, 0, 2);
  REQUIRE(text_of(self->barrier()) == "fine");
  receiver.wait_until_stopped();
  const bytes data(long_bytes);
  auto out = self->send(1, 1, data);
  auto sending = start([&] { return out.wait(); });
  CHECK(sending.wait_for(100ms) == std::future_status::timeout);
  receiver.kill();
  CHECK_THAT(soon(sending, *self),
             Catch::StartsWith("failed: rank 1 is gone: "));
}

TEST_CASE("close does not wait for a rank that is frozen",
          "[comm][gloo][close]") {
  store_folder folder;
  child frozen{[&] {
    const auto self = join_group(folder, 1, 2);
    (void)self->barrier();
    std::raise(SIGSTOP);
  }};
  const auto self = join_group(folder, 0, 2);
  REQUIRE(text_of(self->barrier()) == "fine");
  frozen.wait_until_stopped();
  bytes memory(100);
  auto in = self->receive(1, 1, memory);
  auto waiting = start([&] { return in.wait(); });
  const auto begin = now_us();
  self->close();
  CHECK(seconds_since(begin) < 2);
  CHECK(soon(waiting, *self) == "interrupted: closed");
}

TEST_CASE("two processes add up the bits of adding in order",
          "[comm][gloo][sum]") {
  store_folder folder;
  const std::vector<std::vector<float>> parts{uneven_floats(100'001, 1),
                                              uneven_floats(100'001, 2)};
  child other{[&] {
    const auto self = join_group(folder, 1, 2);
    auto data = parts[1];
    (void)self->sum(data);
    (void)self->send(0, 1, std::as_bytes(std::span{data})).wait();
    (void)self->barrier();
  }};
  const auto self = join_group(folder, 0, 2);
  auto mine = parts[0];
  REQUIRE(text_of(self->sum(mine)) == "fine");
  std::vector<float> theirs(mine.size());
  auto in = self->receive(1, 1, std::as_writable_bytes(std::span{theirs}));
  REQUIRE(text_of(in.wait()) == "fine");
  CHECK(text_of(self->barrier()) == "fine");
  CHECK(same_bits(mine, sum_from_the_left(parts)));
  CHECK(same_bits(theirs, mine));
}

TEST_CASE("a group that a rank does not join is an error that names it",
          "[comm][gloo]") {
  memory_store store;
  gloo_options options;
  options.size = 2;
  options.prefix = "lonely";
  options.timeout = 50ms;
  const auto made = make_gloo_communicator(store, options);
  REQUIRE(!made);
  CHECK(made.failure().code == errc::io);
  CHECK_THAT(made.failure().message,
             Catch::StartsWith("group 'lonely': rank 1 did not come: "));
}

TEST_CASE("a store that is closed ends the wait for a rank that listens but "
          "never connects",
          "[comm][gloo]") {
  constexpr int size = 17; // by chance, rank 0 listens for some of them
  closing_store store;
  stuck_store stuck{store};
  std::vector<std::future<std::string>> joining;
  joining.reserve(size);
  for (int rank = 0; rank < size; ++rank)
    joining.push_back(start([&, rank]() -> result<void> {
      gloo_options options;
      options.rank = rank;
      options.size = size;
      PD_CHECK(make_gloo_communicator(
        rank == 0 ? static_cast<rendezvous_store&>(store) : stuck, options));
      return {};
    }));
  const auto deadline = std::chrono::steady_clock::now() + 1min;
  while (store.listening < size && time_until(deadline) > 0ms)
    std::this_thread::sleep_for(1ms);
  store.is_closed = true;
  CHECK(store.listening == size);
  REQUIRE(joining[0].wait_for(3s) == std::future_status::ready);
  // Rank 0 may hear it first from one that has ended already.
  CHECK(joining[0].get() != "fine");
  for (std::size_t rank = 1; rank < joining.size(); ++rank)
    CHECK_THAT(joining[rank].get(), Catch::EndsWith("the store is closed"));
}

TEST_CASE("ranks that disagree on the options are told so", "[comm][gloo]") {
  memory_store store;
  gloo_options options;
  options.size = 2;
  options.timeout = 10s;
  auto others = options;
  others.rank = 1;
  others.segment_bytes = 64;
  auto joining = std::async(std::launch::async, [&] {
    return make_gloo_communicator(store, others).failure().message;
  });
  const auto made = make_gloo_communicator(store, options);
  REQUIRE(!made);
  CHECK(made.failure().code == errc::bad_value);
  CHECK(made.failure().message
        == "group 'group': rank 1 has size 2, segment_bytes 64; rank 0 has "
           "size 2, segment_bytes 1048576");
  CHECK_THAT(joining.get(), Catch::Contains("rank 0 has size 2"));
}

TEST_CASE("options that cannot be are an error", "[comm][gloo]") {
  memory_store store;
  const auto why = [&](const gloo_options& options) {
    const auto made = make_gloo_communicator(store, options);
    return made ? "made" : made.failure().message;
  };
  CHECK(why({.rank = 2, .size = 2})
        == "group 'group': rank 2 of 2: there is no such rank");
  CHECK_THAT(why({.segment_bytes = 6}), Catch::Contains("a multiple of 4"));
  CHECK_THAT(why({.host = "no.such.host.invalid"}),
             Catch::StartsWith("group 'group': host 'no.such.host.invalid': "));
  CHECK(why({.host = "192.0.2.1"}) // kept for examples: nobody has it
        == "group 'group': host '192.0.2.1' is no address of this machine");
  CHECK(why({.interface = "none0"})
        == "group 'group': there is no interface 'none0'");
  CHECK(why({.interface = "lo"}) == "made");
}

TEST_CASE("a group of one needs nobody", "[comm][gloo]") {
  memory_store store;
  const auto made = make_gloo_communicator(store, {});
  REQUIRE(made);
  std::vector<float> data{1, 2};
  CHECK(text_of((*made)->sum(data)) == "fine");
  CHECK(text_of((*made)->barrier()) == "fine");
  CHECK(data == std::vector<float>{1, 2});
}
