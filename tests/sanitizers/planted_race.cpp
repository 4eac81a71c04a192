/// Holds the thread sanitizer to its word: two actors that count in one plain
/// int (`racing`) must be reported, and the same two with an int each (`apart`)
/// must not. With CAF's library not instrumented, neither would hold.
///
/// Run by planted_race.sh; no Catch2, whose runner is not asked here.

#include "actors/supervise.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <cstdio>
#include <latch>
#include <span>
#include <string_view>

namespace {

using counter_actor = caf::typed_actor<caf::replies_to<int>::with<int>>;

constexpr int counted = 1000;

std::array<int, 2> planted_counts{}; // the report names it

std::latch both_have_begun{2};

/// Counts one of the counts up as often as it is told, from when the other one
/// begins, too: nothing then orders the one's counting before the other's.
class counter {
public:
  static inline const char* name = "counter";

  counter(counter_actor::pointer, int* count) : count_{count} {}

  counter_actor::behavior_type make_behavior() {
    return {[this](int times) {
      both_have_begun.arrive_and_wait();
      for (int i = 0; i < times; ++i)
        ++*count_;
      return times;
    }};
  }

private:
  int* count_;
};

void count_in(caf::actor_system& in, int* first, int* second) {
  const caf::scoped_actor self{in};
  const auto spawn = [&](int* count) {
    return in.spawn<pd::shell<counter, counter_actor>, caf::detached>(count);
  };
  const std::array counters{spawn(first), spawn(second)};
  std::array asked{self->request(counters[0], caf::infinite, counted),
                   self->request(counters[1], caf::infinite, counted)};
  for (auto& each : asked)
    each.receive([](int) {}, [](const caf::error&) { std::puts("no reply"); });
  for (const auto& each : counters)
    self->send_exit(each, caf::exit_reason::user_shutdown);
}

} // namespace

int main(int argc, char** argv) {
  const std::span arguments{argv, static_cast<std::size_t>(argc)};
  const bool is_racing =
    argc == 2 && arguments[1] == std::string_view{"racing"};
  caf::actor_system_config config;
  {
    caf::actor_system system{config};
    count_in(system, &planted_counts[0], &planted_counts[is_racing ? 0 : 1]);
  }
  std::printf("%d and %d\n", planted_counts[0], planted_counts[1]);
}
