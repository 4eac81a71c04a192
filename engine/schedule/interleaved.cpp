/// Interleaved 1F1B: a worker holds several chunks, so that the pipeline fills
/// in steps of a chunk instead of a stage.
///
/// A replica's microbatches go in groups of as many as there are stages: the
/// whole group through chunk 0, then through chunk 1, ...; backwards from the
/// last chunk to the first. Paper: arXiv 2104.04473, section 2.2.

#include "engine/schedule/families.hpp"
#include "engine/schedule/row_maker.hpp"

namespace pd {

namespace {

/// Where in the order of all (chunk, microbatch) of a round one stands.
struct slot {
  int chunk = 0;
  std::int64_t local = 0; ///< within the round
};

/// Slot `i` of the forwards: of `group` microbatches a chunk at a time.
slot forward_slot(std::int64_t i, std::int64_t group, int chunks) {
  return {static_cast<int>(i % (group * chunks) / group),
          i / (group * chunks) * group + i % group};
}

slot backward_slot(std::int64_t i, std::int64_t group, int chunks) {
  const auto made = forward_slot(i, group, chunks);
  return {chunks - 1 - made.chunk, made.local};
}

std::int64_t stages_of(const timetable& head) {
  return static_cast<std::int64_t>(head.shape.replicas.size());
}

} // namespace

result<void> check_interleaved(const timetable& head) {
  const auto stages = stages_of(head);
  const auto share = head.rounds[0] / head.shape.replicas[0];
  if (share % stages == 0)
    return {};
  return error{errc::bad_value,
               "interleaved: wanted a round that gives each replica a multiple "
               "of "
                 + std::to_string(stages) + " microbatches (the stages), found "
                 + std::to_string(share) + " of a round of "
                 + std::to_string(head.rounds[0])};
}

std::vector<int> interleaved_depth(const timetable& head) {
  const auto stages = stages_of(head);
  const auto chunks = head.shape.chunks;
  const auto all = head.rounds[0] / head.shape.replicas[0] * chunks;
  std::vector<int> made;
  for (std::int64_t stage = 0; stage < stages; ++stage) {
    const auto warm = 2 * (stages - stage - 1) + (chunks - 1) * stages + 1;
    made.push_back(static_cast<int>(std::min(warm, all)));
  }
  return made;
}

row interleaved_row(const timetable& head, int worker) {
  row_maker made{head, worker};
  const auto group = stages_of(head);
  const int chunks = head.shape.chunks;
  for (std::int64_t round = 0; round < made.rounds(); ++round) {
    const auto add = [&](act kind, slot at) {
      made.add(kind, round * made.share() + at.local, round, at.chunk);
    };
    one_f_one_b(
      made.share() * chunks, made.depth(),
      [&](std::int64_t i) {
        add(act::forward, forward_slot(i, group, chunks));
      },
      [&](std::int64_t i) {
        add(act::backward, backward_slot(i, group, chunks));
      });
    for (int chunk = 0; chunk < chunks; ++chunk)
      made.update(round + 1, chunk);
  }
  return made.take();
}

} // namespace pd
