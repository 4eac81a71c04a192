#include "engine/schedule/validate.hpp"

#include "tests/engine/schedule/every_shape.hpp"

using namespace pd;

namespace {

/// Two stages, one update of two microbatches, `rows` one line a worker.
std::string flush_of(const std::string& first, const std::string& second,
                     const std::string& depth = "2 1") {
  return "schedule 1f1b\nreplicas 1 1\nmicrobatches 2\nrounds 2 2\ndepth "
         + depth + "\nworker 0: " + first + "\nworker 1: " + second + "\n";
}

const std::string sound_first = "F0 F1 B0 B1 U1";
const std::string sound_second = "F0 B0 F1 B1 U1";

std::string refusal_of(const std::string& text) {
  const auto valid = validate(parsed(text));
  return valid ? "none" : valid.failure().message;
}

/// The first line: what is wrong and where.
std::string fault_of(const std::string& text) {
  const auto all = refusal_of(text);
  return all.substr(0, all.find('\n'));
}

} // namespace

TEST_CASE("a sound timetable is accepted", "[schedule][validate]") {
  CHECK(refusal_of(flush_of(sound_first, sound_second)) == "none");
  CHECK(refusal_of(flush_of("F0 F1 I0 W0 B1 U1", sound_second)) == "none");
}

TEST_CASE("a fault is shown in the rows around it, with a mark under it",
          "[schedule][validate]") {
  CHECK(refusal_of(flush_of(sound_first, "F0 B0 B1 F1 U1"))
        == "worker 1, cell 2: B1 stands before F1\n"
           "                 0   1   2   3   4\n"
           "      worker 0  F0  F1  B0  B1  U1\n"
           "      worker 1  F0  B0  B1  F1  U1\n"
           "                        ^^\n");
}

TEST_CASE("the rows shown are those near the fault", "[schedule][validate]") {
  auto all = generated(
    {.name = "1f1b", .shape = straight(9), .microbatches = 32, .round = 32});
  std::swap(all.rows[5][40], all.rows[5][41]);
  const auto refusal = validate(all).failure().message;
  CHECK(refusal.substr(0, refusal.find('\n'))
        == "worker 5, cell 40: F22 makes 5 in flight; the depth of stage 5 is "
           "4");
  CHECK(refusal.find("worker 2") == std::string::npos);
  CHECK(refusal.find("worker 3") != std::string::npos);
  CHECK(refusal.find("worker 7") != std::string::npos);
  CHECK(refusal.find("worker 8") == std::string::npos);
  CHECK(std::count(refusal.begin(), refusal.end(), '\n') == 8);
}

TEST_CASE("a backward that is missing is named", "[schedule][validate]") {
  CHECK(fault_of(flush_of("F0 F1 B0", sound_second))
        == "worker 0, cell 3: B1 is missing");
  CHECK(fault_of(flush_of("F0 F1 B0 U1", sound_second))
        == "worker 0, cell 3: U1 stands before 1 backward of its round");
  CHECK(fault_of(flush_of("F0 F1 B0 I1", sound_second))
        == "worker 0, cell 4: W1 is missing");
  CHECK(fault_of(flush_of("F0 B0", sound_second))
        == "worker 0, cell 2: F1 is missing");
  CHECK(fault_of(flush_of("F0 F1 B0 B1", sound_second))
        == "worker 0, cell 4: U1 is missing");
}

TEST_CASE("a microbatch on the wrong replica is named with the right one",
          "[schedule][validate]") {
  CHECK(fault_of("schedule pipedream\nreplicas 1 2\nmicrobatches 2\n"
                 "rounds 1 2\ndepth 2 1\n"
                 "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                 "worker 1: F0 B0 F1 B1 U1\n"
                 "worker 2: U1\n")
        == "worker 1, cell 2: F1: microbatch 1 runs on worker 2, a replica of "
           "stage 1");
}

TEST_CASE("a wrong version is refused, by each schedule's rule",
          "[schedule][validate]") {
  const std::string two_rounds = "replicas 1\nmicrobatches 2\nrounds 1\n"
                                 "depth 2\nworker 0: ";
  CHECK(fault_of("schedule 1f1b\n" + two_rounds + "F0 F1 B0 U1 B1@0 U2\n")
        == "worker 0, cell 1: F1@0: wanted version 1 of the weights, by the "
           "rule of 1f1b");
  CHECK(fault_of("schedule pipedream\n" + two_rounds + "F0 F1 B0 U1 B1 U2\n")
        == "worker 0, cell 4: B1@1: wanted version 0 of the weights, which "
           "its forward used");
  CHECK(
    fault_of("schedule pipedream\n" + two_rounds + "F0 B0 U1 F1@0 B1@0 U2\n")
    == "worker 0, cell 3: F1@0: wanted version 1 of the weights, by the "
       "rule of pipedream");
  CHECK(
    fault_of("schedule pipedream-2bw\n" + two_rounds + "F0 B0 U1 F1 B1 U2\n")
    == "worker 0, cell 3: F1@1: wanted version 0 of the weights, by the "
       "rule of pipedream-2bw");
  CHECK(fault_of("schedule 1f1b\n" + two_rounds + "F0 F1@1 B0 U1 B1 U2\n")
        == "worker 0, cell 1: F1@1: that version is not made yet; the newest "
           "is 0");
  CHECK(fault_of("schedule pipedream vertical_sync\nreplicas 1 1\n"
                 "microbatches 2\nrounds 1 1\ndepth 2 1\n"
                 "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                 "worker 1: F0 B0 U1 F1 B1 U2\n")
        == "worker 1, cell 3: F1@1: wanted version 0 of the weights, by the "
           "rule of pipedream");
}

TEST_CASE("what stands out of order in a row is named",
          "[schedule][validate]") {
  CHECK(fault_of(flush_of("B0 F0 F1 B1 U1", sound_second))
        == "worker 0, cell 0: B0 stands before F0");
  CHECK(fault_of(flush_of("F0 F1 W0 I0 B1 U1", sound_second))
        == "worker 0, cell 2: W0 stands before I0");
  CHECK(fault_of(flush_of("I0 F0 F1 W0 B1 U1", sound_second))
        == "worker 0, cell 0: I0 stands before F0");
  CHECK(fault_of(flush_of("F0 F0 B0 B1 U1", sound_second))
        == "worker 0, cell 1: F0 stands twice");
  CHECK(fault_of(flush_of("F0 F1 I0 B0 B1 U1", sound_second))
        == "worker 0, cell 3: B0 stands where its input half was done");
  CHECK(fault_of(flush_of("F0 F1 B0 B1 U2", sound_second))
        == "worker 0, cell 4: U2: version 1 is to be made next");
  CHECK(fault_of("schedule pipedream\nreplicas 1\nmicrobatches 2\nrounds 1\n"
                 "depth 2\nworker 0: F0 F1 B0 B1 U1 U2\n")
        == "worker 0, cell 3: B1 stands before U1, which ends the round "
           "before");
}

TEST_CASE("more in flight than the depth is refused", "[schedule][validate]") {
  CHECK(fault_of(flush_of(sound_first, sound_second, "1 1"))
        == "worker 0, cell 1: F1 makes 2 in flight; the depth of stage 0 is "
           "1");
  CHECK(fault_of(flush_of(sound_first, "F0 I0 F1 W0 B1 U1"))
        == "worker 1, cell 2: F1 makes 2 in flight; the depth of stage 1 is "
           "1");
}

TEST_CASE("a cell that does not exist is refused", "[schedule][validate]") {
  CHECK(fault_of(flush_of("F0 F2 B0 B1 U1", sound_second))
        == "worker 0, cell 1: F2: the epoch has 2 microbatches");
  CHECK(fault_of(flush_of("F0 1F1 B0 B1 U1", sound_second))
        == "worker 0, cell 1: 1F1: a worker has 1 chunks");
  CHECK(fault_of(flush_of("F0 E1 B0 B1 U1", sound_second))
        == "worker 0, cell 1: E1 does not belong into schedule '1f1b'");
}

TEST_CASE("a deadlock is refused with the cycle of waits",
          "[schedule][validate]") {
  CHECK(refusal_of(flush_of("F0 B0 F1 B1 U1", "F0 F1 B0 B1 U1", "1 2"))
        == "worker 0, cell 1: deadlock: worker 0 waits for B0 of worker 1, "
           "which waits for F1 of worker 0\n"
           "                 0   1   2   3   4\n"
           "      worker 0  F0  B0  F1  B1  U1\n"
           "                    ^^\n"
           "      worker 1  F0  F1  B0  B1  U1\n"
           "                    ^^\n");
}

TEST_CASE("a cell of a cycle of waits that is far from the first is not shown",
          "[schedule][validate]") {
  CHECK(refusal_of("schedule 1f1b\nreplicas 1 4\nmicrobatches 8\nrounds 8 8\n"
                   "depth 8 2\nworker 0: F0 F1 F2 F3 B3 F4 F5 F6 F7 B0 B1 B2 "
                   "B4 B5 B6 B7 U1\n"
                   "worker 1: F0 B0 F4 B4 U1\nworker 2: F1 B1 F5 B5 U1\n"
                   "worker 3: F2 B2 F6 B6 U1\nworker 4: F3 F7 B3 B7 U1\n")
        == "worker 0, cell 4: deadlock: worker 0 waits for B3 of worker 4, "
           "which waits for F7 of worker 0\n"
           "                 0   1   2   3   4   5   6   7   8   9\n"
           "      worker 0  F0  F1  F2  F3  B3  F4  F5  F6  F7  B0\n"
           "                                ^^\n"
           "      worker 1  F0  B0  F4  B4  U1\n"
           "      worker 2  F1  B1  F5  B5  U1\n");
}

TEST_CASE("a deadlock over the update of two replicas is found",
          "[schedule][validate]") {
  // Replica 0's second forward comes after its update, which needs replica 1;
  // stage 1 wants that forward first.
  CHECK(fault_of("schedule pipedream\nreplicas 2 1\nmicrobatches 4\n"
                 "rounds 2 1\ndepth 1 4\n"
                 "worker 0: F0 B0 U1 F2 B2 U2\n"
                 "worker 1: F1 B1 U1 F3 B3 U2\n"
                 "worker 2: F0 B0 U1 F2 F1 B1@1 U2 F3 B2@1 U3 B3@2 U4\n")
        == "worker 0, cell 2: deadlock: worker 0 waits for B1 of worker 1, "
           "which waits for B1 of worker 2, which waits for F2 of worker 0");
}

TEST_CASE("what the receiver in a stopped pass would number wrongly is refused",
          "[schedule][validate]") {
  const std::string two_stages = "schedule pipedream\nreplicas 1 1\n"
                                 "microbatches 2\nrounds 1 1\ndepth 2 2\n";
  const std::string turned = "F1 F0 B0 U1 B1@0 U2\n";
  CHECK(refusal_of(two_stages + "worker 0: " + turned + "worker 1: " + turned)
        == "worker 0, cell 1: F0 stands after F1; a pass may be stopped "
           "between them, at microbatch 1\n"
           "                 0   1   2   3     4   5\n"
           "      worker 0  F1  F0  B0  U1  B1@0  U2\n"
           "                    ^^\n"
           "      worker 1  F1  F0  B0  U1  B1@0  U2\n");
  CHECK(fault_of(two_stages
                 + "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                   "worker 1: F0 F1 I1 I0 W0 U1 W1@0 U2\n")
        == "worker 1, cell 3: I0 stands after I1; a pass may be stopped "
           "between them, at microbatch 1");
}

TEST_CASE("within a common round any order is accepted",
          "[schedule][validate]") {
  CHECK(refusal_of(flush_of("F1 F0 B1 B0 U1", "F1 B1 F0 B0 U1")) == "none");
}

TEST_CASE("replicas that sum their chunks in unlike orders are refused",
          "[schedule][validate]") {
  const std::string two_replicas =
    "schedule interleaved\nreplicas 2\nchunks 2\nmicrobatches 2\nrounds 2\n"
    "depth 2\nworker 0: F0 1F0 1I0 I0 1W0 W0 U1 1U1\nworker 1: ";
  CHECK(refusal_of(two_replicas + "F1 1F1 1I1 I1 1W1 W1 U1 1U1\n") == "none");
  CHECK(fault_of(two_replicas + "F1 1F1 1I1 I1 W1 1W1 U1 1U1\n")
        == "worker 1, cell 4: W1 ends round 0 of chunk 0, where its replica "
           "worker 0 ends round 0 of chunk 1; replicas end their rounds in one "
           "order");
}

TEST_CASE("a head that promises more than the rows hold is refused",
          "[schedule][validate]") {
  CHECK(fault_of("schedule 1f1b\nreplicas 1\n"
                 "microbatches 100000000000000000\nrounds 1\ndepth 1\n"
                 "worker 0: F0 B0 U1\n")
        == "wanted rows for 100000000000000000 microbatches, found 3 cells "
           "in all");
  CHECK(fault_of("schedule 2f2b\nreplicas 1\nmicrobatches 0\nrounds 1\n"
                 "depth 1\nworker 0:\n")
        == "schedule '2f2b' is not known");
  CHECK(fault_of("schedule model-parallel\nreplicas 1\nmicrobatches 1\n"
                 "rounds 1\ndepth 2\nworker 0: F0 B0 U1\n")
        == "model-parallel: wanted a depth of 1, found 2");
}

TEST_CASE("edges that skip stages change nothing about who is sound",
          "[schedule][validate]") {
  for (const auto& name : schedule_names()) {
    const auto shape = straight(4, name == "interleaved" ? 2 : 1);
    const auto all =
      generated({.name = name, .shape = shape, .microbatches = 16, .round = 8});
    CHECK(validate(all, *with_skips(shape, {{0, 2}, {0, 3}, {1, 3}})));
  }
}
