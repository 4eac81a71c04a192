#include "actors/link.hpp"

#include "actors/remoting.hpp"
#include "actors/supervise.hpp"
#include "engine/comm/local_communicator.hpp"
#include "engine/device/cpu_device.hpp"
#include "tests/support/deployed_pipeline.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace pd;

namespace {

using words = std::vector<std::string>;

/// What a stage was told, written by its actor and read by the test.
struct notebook {
  std::mutex mutex;
  std::condition_variable changed;
  words said;
  std::vector<tensor> held; ///< handles of what came

  void add(const std::string& word, const std::vector<tensor>& values) {
    const std::lock_guard lock{mutex};
    said.push_back(word);
    held.insert(held.end(), values.begin(), values.end());
    changed.notify_all();
  }

  /// The first `count`; fewer after a minute.
  words wait_for(std::size_t count) {
    std::unique_lock lock{mutex};
    changed.wait_for(lock, std::chrono::minutes{1},
                     [&] { return said.size() >= count; });
    return said;
  }
};

class fake_stage {
public:
  static inline const char* name = "fake_stage";

  fake_stage(stage_actor::pointer, notebook* notes) : notes_{notes} {}

  stage_actor::behavior_type make_behavior() {
    return {[](const begin_pass&) {},
            [](const hold_pass&) { return pass_held{}; },
            [](const end_pass_at&) {},
            [](const batch&) {},
            [this](const activation& x) { note("F", x); },
            [this](const gradient& x) { note("B", x); },
            [](const round_reduced&) {},
            [](const round_joined&) {}};
  }

private:
  template <class Message>
  void note(const std::string& kind, const Message& x) {
    auto text = kind + std::to_string(x.microbatch) + " of "
                + std::to_string(x.generation);
    for (const tensor& each : x.values)
      text += ": " + std::to_string(static_cast<int>(*each.data<float>()));
    notes_->add(text, x.values);
  }

  notebook* notes_;
};

const tensor_type one_number{{1}};

/// A link into worker `to` from the other one, and the far end of the wire.
/// The link waits for bytes, so it has a thread of its own.
struct link_in_test {
  std::shared_ptr<const deployment> all =
    deployed_lenet("[[stage]]\nuntil = 'pool1'\n[[stage]]\n");
  std::vector<std::shared_ptr<communicator>> group;
  cpu_device device;
  status_board board{4};
  notebook notes;
  stage_edge along;
  engine_config config;
  caf::actor_system system{config};
  stage_actor stage = system.spawn<shell<fake_stage, stage_actor>>(&notes);
  link_in_actor link;
  std::vector<std::unique_ptr<float>> numbers;
  std::vector<transfer> sent;

  explicit link_in_test(cargo what) {
    for (auto& each : make_local_group(2))
      group.push_back(std::move(each));
    const int to = what == cargo::activation ? 1 : 0;
    along = {what, 1 - to, to, 1 - to, to};
    link = system.spawn<shell<link_in, link_in_actor>, caf::detached>(
      link_in_options{all, along, make_memory(),
                      group[static_cast<std::size_t>(to)], stage,
                      &board.add(to, role::link_in)});
  }
  ~link_in_test() {
    for (const auto& each : group)
      each->close();
    caf::anon_send_exit(link, caf::exit_reason::user_shutdown);
    caf::scoped_actor {
      system
      } -> wait_for(link);
    caf::anon_send_exit(stage, caf::exit_reason::user_shutdown);
  }
  link_in_test(const link_in_test&) = delete;
  link_in_test& operator=(const link_in_test&) = delete;

  /// Slots of one number each, instead of the plan's.
  std::vector<link_slot> make_memory() {
    std::vector<link_slot> made(
      static_cast<std::size_t>(slots_on(along, *all)));
    if (along.what != cargo::acknowledgement)
      for (auto& each : made)
        each.push_back(
          {*device.memory().allocate(one_number.bytes()), 0, one_number, {}});
    return made;
  }

  template <class Message>
  void tell(Message what) {
    caf::anon_send(link, std::move(what));
  }

  /// What the sender's link would send; an acknowledgement is no bytes.
  void send(float value = 0) {
    numbers.push_back(std::make_unique<float>(value));
    const auto bytes = along.what == cargo::acknowledgement
                         ? std::span<const std::byte>{}
                         : std::as_bytes(std::span{numbers.back().get(), 1});
    sent.push_back(group[static_cast<std::size_t>(along.from_worker)]->send(
      along.to_worker, along.tag(), bytes));
  }
};

} // namespace

TEST_CASE("what comes along an edge is numbered by its sender's row",
          "[actors][link]") {
  link_in_test at{cargo::activation};
  at.tell(begin_pass{1, {0, 0, whole_pass, true}});
  for (const float value : {10.0F, 11.0F, 12.0F})
    at.send(value);
  CHECK(at.notes.wait_for(3)
        == words{"F0 of 1: 10", "F1 of 1: 11", "F2 of 1: 12"});
}

TEST_CASE("what overtakes its begin_pass waits for it", "[actors][link]") {
  link_in_test at{cargo::activation};
  at.send(10);
  REQUIRE(at.sent[0].wait()); // the link has it
  at.tell(begin_pass{1, {0, 0, whole_pass, true}});
  at.send(11);
  CHECK(at.notes.wait_for(2) == words{"F0 of 1: 10", "F1 of 1: 11"});
}

TEST_CASE("after a pass that ended early the next one is numbered anew",
          "[actors][link]") {
  link_in_test at{cargo::activation};
  at.tell(begin_pass{1, {0, 0, whole_pass, true}});
  at.send(10);
  REQUIRE(at.notes.wait_for(1).size() == 1);
  at.tell(end_pass_at{1, 1});
  at.tell(begin_pass{2, {0, 0, whole_pass, true}});
  at.send(20);
  CHECK(at.notes.wait_for(2) == words{"F0 of 1: 10", "F0 of 2: 20"});
}

TEST_CASE("acknowledgements that nobody waited for belong to their own pass",
          "[actors][link]") {
  link_in_test at{cargo::acknowledgement};
  const auto evaluations =
    static_cast<std::size_t>(at.all->evaluation->microbatches);
  at.tell(begin_pass{1, {0, 0, whole_pass, false}});
  at.tell(begin_pass{2, {0, 0, whole_pass, false}}); // before any came
  for (std::size_t i = 0; i <= evaluations; ++i)
    at.send();
  const auto said = at.notes.wait_for(evaluations + 1);
  REQUIRE(said.size() == evaluations + 1);
  CHECK(said.front() == "B0 of 1");
  CHECK(said.back() == "B0 of 2");
}

TEST_CASE("memory that a stage still holds is not written", "[actors][link]") {
  link_in_test at{cargo::activation};
  at.tell(begin_pass{1, {0, 0, whole_pass, true}});
  const auto slots = static_cast<std::size_t>(slots_on(at.along, *at.all));
  for (std::size_t i = 0; i + 1 < slots; ++i)
    at.send(static_cast<float>(i));
  REQUIRE(at.notes.wait_for(slots - 1).size() == slots - 1);
  for (std::size_t i = 0; i + 1 < slots; ++i)
    CHECK(*at.notes.held[i].data<float>() == static_cast<float>(i));
  at.notes.held.clear(); // now there is room again
  at.send(100);
  CHECK(at.notes.wait_for(slots).back()
        == "F" + std::to_string(slots - 1) + " of 1: 100");
}

TEST_CASE("a peer that leaves ends the link with its rank", "[actors][link]") {
  link_in_test at{cargo::activation};
  const caf::scoped_actor watcher{at.system};
  watcher->monitor(at.link);
  at.group[0]->close();
  watcher->receive([&](const caf::down_msg& down) {
    CHECK_THAT(text_of(down.reason), Catch::Contains("rank 0 left the group"));
  });
}
