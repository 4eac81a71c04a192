#include "engine/schedule/timetable.hpp"

#include "tests/engine/schedule/every_shape.hpp"

using namespace pd;

namespace {

const std::string head = "schedule pipedream\n"
                         "replicas 1 2\n"
                         "microbatches 2\n"
                         "rounds 1 2\n"
                         "depth 2 1\n";

std::string refusal_of(const std::string& text) {
  const auto made = parse_timetable(text);
  return made ? "none" : made.failure().message;
}

} // namespace

TEST_CASE("a timetable is read from its lines", "[schedule][timetable]") {
  const auto made = parsed(head
                           + "worker 0: F0 F1 B0 U1 B1@0 U2\n"
                             "worker 1: F0 B0 U1\n"
                             "\n"
                             "worker 2: F1 B1 U1 # its own round\n");
  CHECK(made.schedule == "pipedream");
  CHECK(made.shape.replicas == std::vector<int>{1, 2});
  CHECK(made.shape.chunks == 1);
  CHECK(made.microbatches == 2);
  CHECK(made.rounds == std::vector<std::int64_t>{1, 2});
  CHECK(made.depth == std::vector<int>{2, 1});
  REQUIRE(made.rows.size() == 3);
  CHECK(made.rows[0][4] == action{0, act::backward, 1, 0});
  CHECK(to_string(made)
        == head
             + "worker 0: F0 F1 B0 U1 B1@0 U2\n"
               "worker 1: F0 B0 U1\n"
               "worker 2: F1 B1 U1\n");
}

TEST_CASE("a bad timetable is refused with line and column",
          "[schedule][timetable]") {
  CHECK(refusal_of(head + "worker 0: F0 Q1\n")
        == "line 6: column 14: wanted one of F B I W U E, found 'Q'");
  CHECK(refusal_of(head + "worker 1: F0\n")
        == "line 6: column 8: wanted worker 0, found '1'");
  CHECK(refusal_of(head + "worker 0 F0\n")
        == "line 6: column 9: wanted a colon, found ' '");
  CHECK(refusal_of(head + "rows 3\n")
        == "line 6: column 1: wanted schedule, replicas, chunks, "
           "microbatches, rounds, depth or worker, found 'r'");
  CHECK(refusal_of(head + "depth 1 1\n")
        == "line 6: column 1: wanted no second 'depth', found 'd'");
  CHECK(refusal_of("replicas 1 x\n")
        == "line 1: column 12: wanted a count, found 'x'");
  CHECK(refusal_of("replicas 99999999999\n")
        == "line 1: column 10: wanted a count that is not so large, found "
           "'9'");
  CHECK(refusal_of("microbatches 1 2\n")
        == "line 1: column 14: wanted a count and no second one, found '1'");
  CHECK(
    refusal_of("schedule 1f1b now\n")
    == "line 1: column 15: wanted vertical_sync or joint_updates, found 'n'");
  CHECK(refusal_of(head + "worker 0:\ndepth 1\n")
        == "line 7: column 1: wanted the row of worker 1, found 'd'");
}

TEST_CASE("a timetable that is not whole is refused", "[schedule][timetable]") {
  CHECK(refusal_of("") == "line 1: wanted a line 'schedule', found the end");
  CHECK(refusal_of(head + "worker 0: F0\n")
        == "line 7: wanted the rows of 3 workers, found 1");
  CHECK(refusal_of("schedule x\nreplicas 1 2\nmicrobatches 2\nrounds 1\n"
                   "depth 1\n")
        == "wanted 2 rounds and depths, one a stage, found 1 and 1");
  CHECK(refusal_of("schedule x\nreplicas 1 2\nmicrobatches 2\nrounds 1 1\n"
                   "depth 1 1\n")
        == "stage 1: wanted a round that 2 replicas share evenly, found 1");
  CHECK(refusal_of("schedule x\nreplicas 1 2\nmicrobatches 3\nrounds 1 2\n"
                   "depth 1 1\n")
        == "stage 1: 3 microbatches fill no whole rounds of 2");
  CHECK(
    refusal_of("schedule x\nreplicas 1 2\nchunks 2\nmicrobatches 2\n"
               "rounds 1 2\ndepth 1 1\n")
    == "shape 1-2 of 2 chunks: wanted as many replicas at each stage, since "
       "a worker has several chunks");
}

TEST_CASE("microbatches go round the replicas of a stage",
          "[schedule][placement]") {
  const placement place{{{1, 3, 2}}};
  CHECK(place.workers() == 6);
  CHECK(place.stage_of(3) == 1);
  CHECK(place.replica_of(3) == 2);
  CHECK(place.worker_of(0, 7) == 0);
  CHECK(place.worker_of(1, 7) == 2);
  CHECK(place.worker_of(2, 7) == 5);
}

TEST_CASE("a chunk is a virtual stage behind all stages of the one before",
          "[schedule][placement]") {
  const placement place{{{2, 2, 2}, 2}};
  CHECK(place.virtual_stages() == 6);
  CHECK(place.virtual_stage(1, 1) == 4);
  CHECK(place.stage_of_virtual(4) == 1);
  CHECK(place.chunk_of_virtual(4) == 1);
}

TEST_CASE("versions are kept from the oldest still used to the newest",
          "[schedule][timetable]") {
  CHECK(versions_kept(*parse_row("F0 B0 U1 F1 B1 U2")) == 1);
  CHECK(versions_kept(*parse_row("F0 F1 B0 U1 F2 B1@0 U2 B2@1 U3")) == 2);
  CHECK(versions_kept(*parse_row("F0 F1 F2 B0 U1 F3 B1@0 U2 F4 B2@0 U3 B3@1"))
        == 3);
  CHECK(versions_kept(*parse_row("F0 1F0 1B0 1U1 B0 U1")) == 1);
  CHECK(versions_kept({}) == 1);
}

TEST_CASE("an edge may skip stages, and leads on", "[schedule][topology]") {
  const auto links = with_skips(straight(4), {{0, 2}, {1, 2}, {0, 3}});
  REQUIRE(links);
  CHECK((*links)[0].downstream == std::vector<int>{1, 2, 3});
  CHECK((*links)[2].upstream == std::vector<int>{0, 1});
  CHECK((*links)[3].upstream == std::vector<int>{0, 2});
  for (const auto& edge : {std::pair{2, 1}, {1, 1}, {-1, 2}, {0, 4}})
    CHECK_FALSE(with_skips(straight(4), {edge}));
}
