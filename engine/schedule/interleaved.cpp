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

/// A group of microbatches goes chunk by chunk; a short one ends the epoch.
void add_evaluations(row_maker& made, std::int64_t first, std::int64_t count,
                     int chunks) {
  for (int chunk = 0; chunk < chunks; ++chunk)
    for (std::int64_t i = 0; i < count; ++i)
      made.add(act::evaluate, first + i, 0, chunk);
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

std::vector<int> evaluation_depth(const pipeline_shape& shape) {
  const auto stages = shape.replicas.size();
  if (shape.chunks > 1) // a group may be under way to the next chunk
    return std::vector<int>(stages, static_cast<int>(stages) + 1);
  std::vector<int> made;
  for (std::size_t s = 0; s < stages; ++s) {
    const int next = s + 1 < stages ? shape.replicas[s + 1] : 0;
    made.push_back((shape.replicas[s] + next - 1) / shape.replicas[s] + 1);
  }
  return made;
}

row evaluation_row(const timetable& head, int worker) {
  row_maker made{head, worker};
  const placement place{head.shape};
  const int replicas = place.replicas(made.stage());
  const auto locals =
    (head.microbatches - place.replica_of(worker) + replicas - 1) / replicas;
  const auto group = head.shape.chunks > 1 ? stages_of(head) : locals;
  for (std::int64_t first = 0; first < locals; first += group)
    add_evaluations(made, first, std::min(group, locals - first),
                    head.shape.chunks);
  return made.take();
}

} // namespace pd
