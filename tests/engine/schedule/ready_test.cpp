#include "engine/schedule/ready.hpp"

#include "tests/engine/schedule/every_shape.hpp"
#include "tests/support/allocation_counter.hpp"

using namespace pd;

namespace {

/// Everything but rows: 1f1b on 1-2-1, two rounds of two.
timetable head_of(std::vector<int> depth) {
  timetable made;
  made.schedule = "1f1b";
  made.shape.replicas = {1, 2, 1};
  made.microbatches = 4;
  made.rounds = {2, 2, 2};
  made.depth = std::move(depth);
  return made;
}

worker_progress progress_of(int worker, std::vector<int> depth = {2, 2, 2}) {
  const auto head = head_of(std::move(depth));
  return {head, neighbours(head.shape), worker};
}

std::string lack_of(const worker_progress& here, const std::string& cell) {
  return to_string(here.lacks(*parse_action(cell)));
}

} // namespace

TEST_CASE("a forward waits for the activation, but not on the first stage",
          "[schedule][ready]") {
  CHECK(lack_of(progress_of(0), "F0") == "waits for nothing");
  auto second = progress_of(2); // stage 1, replica 1
  CHECK(lack_of(second, "F1")
        == "waits for the activation of microbatch 1 from stage 0");
  second.activation_arrived(0, 3, 0);
  CHECK(lack_of(second, "F1")
        == "waits for the activation of microbatch 1 from stage 0");
  CHECK(lack_of(second, "F3") == "waits for nothing");
}

TEST_CASE("a backward waits for its own forward, then for the gradient",
          "[schedule][ready]") {
  auto first = progress_of(0);
  CHECK(lack_of(first, "B0") == "waits for its own forward of microbatch 0");
  first.gradient_arrived(0, 0, 1);
  CHECK(lack_of(first, "B0") == "waits for its own forward of microbatch 0");
  first.done(*parse_action("F0"));
  CHECK(lack_of(first, "B0") == "waits for nothing");
  first.done(*parse_action("F1"));
  CHECK(lack_of(first, "B1")
        == "waits for the gradient of microbatch 1 from stage 1");
  CHECK(lack_of(first, "I1")
        == "waits for the gradient of microbatch 1 from stage 1");
}

TEST_CASE("the last stage's backward waits for its own forward only",
          "[schedule][ready]") {
  auto last = progress_of(3);
  last.activation_arrived(0, 0, 1);
  last.done(*parse_action("F0"));
  CHECK(lack_of(last, "B0") == "waits for nothing");
}

TEST_CASE("a weight half waits for the input half of its microbatch",
          "[schedule][ready]") {
  auto last = progress_of(3);
  CHECK(lack_of(last, "W0")
        == "waits for its own input gradient of microbatch 0");
  last.activation_arrived(0, 0, 1);
  last.done(*parse_action("F0"));
  last.done(*parse_action("I0"));
  CHECK(lack_of(last, "W0") == "waits for nothing");
}

TEST_CASE("no more are in flight than the depth until a backward ends",
          "[schedule][ready]") {
  auto first = progress_of(0, {1, 1, 1});
  first.done(*parse_action("F0"));
  CHECK(first.in_flight() == 1);
  CHECK(lack_of(first, "F1") == "waits for a place in flight for microbatch 1");
  first.done(*parse_action("I0"));
  CHECK(first.in_flight() == 1);
  first.done(*parse_action("W0"));
  CHECK(lack_of(first, "F1") == "waits for nothing");
}

TEST_CASE("an update waits for every backward of its round on every replica",
          "[schedule][ready]") {
  auto here = progress_of(1); // has microbatch 0 of the round, not 1
  const std::string waits =
    "waits for all backwards of the round that makes version 1 of stage 1";
  CHECK(lack_of(here, "U1") == waits);
  here.backward_elsewhere(0, 3); // of the next round
  here.done(*parse_action("B0"));
  CHECK(lack_of(here, "U1") == waits);
  here.backward_elsewhere(0, 1);
  CHECK(lack_of(here, "U1") == "waits for nothing");
  CHECK(lack_of(here, "U2") == "waits for version 1 of its weights");
}

TEST_CASE("an action waits for its version of the weights",
          "[schedule][ready]") {
  auto first = progress_of(0);
  CHECK(lack_of(first, "F2@1") == "waits for version 1 of its weights");
  first.done(*parse_action("U1"));
  CHECK(first.newest(0) == 1);
  CHECK(lack_of(first, "F2@1") == "waits for nothing");
  CHECK(lack_of(first, "F2@0") == "waits for nothing"); // a stashed one
}

TEST_CASE("a stage with a skip waits for all that send to it",
          "[schedule][ready]") {
  auto head = head_of({4, 4, 4});
  const auto links = *with_skips(head.shape, {{0, 2}});
  worker_progress last{head, links, 3};
  last.activation_arrived(0, 1, 1);
  CHECK(lack_of(last, "F1")
        == "waits for the activation of microbatch 1 from stage 0");
  last.activation_arrived(0, 1, 0);
  CHECK(lack_of(last, "F1") == "waits for nothing");
  worker_progress first{head, links, 0};
  first.done(*parse_action("F1"));
  first.gradient_arrived(0, 1, 1);
  CHECK(lack_of(first, "B1")
        == "waits for the gradient of microbatch 1 from stage 2");
  first.gradient_arrived(0, 1, 2);
  CHECK(lack_of(first, "B1") == "waits for nothing");
}

TEST_CASE("an evaluation goes no further ahead than the depth",
          "[schedule][ready]") {
  auto first = progress_of(0);
  CHECK(lack_of(first, "E1") == "waits for nothing");
  CHECK(lack_of(first, "E2")
        == "waits for the acknowledgement of microbatch 0 from stage 1");
  first.gradient_arrived(0, 0, 1);
  CHECK(lack_of(first, "E2") == "waits for nothing");
}

TEST_CASE("a joint update waits for its round on every stage, then for nothing",
          "[schedule][ready]") {
  auto head = head_of({2, 2, 2});
  head.joint_updates = true;
  worker_progress last{head, neighbours(head.shape), 3};
  for (const int k : {0, 1}) {
    last.activation_arrived(0, k, 1);
    last.done(*parse_action("F" + std::to_string(k)));
    last.done(*parse_action("B" + std::to_string(k)));
  }
  CHECK(last.is_round_whole(0, 0));
  last.round_joined(1);
  CHECK(lack_of(last, "U1")
        == "waits for the gradients of all stages for the round that makes "
           "version 1");
  last.round_joined(0);
  CHECK(lack_of(last, "U1") == "waits for nothing");
}

TEST_CASE("what is no cell of this worker is not known to it",
          "[schedule][ready]") {
  const auto here = progress_of(2);
  for (const auto* text : {"F1", "B3", "W1@2", "U1", "U2", "E3"})
    CHECK(here.knows(*parse_action(text)));
  for (const auto* text : {"F0", "F4", "1F1", "F1@3", "U0", "U3"})
    CHECK_FALSE(here.knows(*parse_action(text)));
}

TEST_CASE("asking and telling allocate nothing", "[schedule][ready]") {
  auto here = progress_of(1);
  const action forward{0, act::forward, 2, 0};
  const action update{0, act::update, 1, 1};
  const allocation_counter counter;
  bool waits = here.lacks(forward).what == want::activation;
  here.activation_arrived(0, 2, 0);
  waits &= here.lacks(update).what == want::round;
  here.done(forward);
  here.gradient_arrived(0, 2, 2);
  here.backward_elsewhere(0, 1);
  CHECK(counter.count().ours == 0);
  CHECK(waits);
}
