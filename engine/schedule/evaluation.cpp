/// Evaluation: forwards only. With several chunks a worker, microbatches go in
/// groups of as many as there are stages, as in interleaved.cpp.

#include "engine/schedule/families.hpp"
#include "engine/schedule/row_maker.hpp"

namespace pd {

namespace {

/// A group of microbatches goes chunk by chunk; a short one ends the epoch.
void add_evaluations(row_maker& made, std::int64_t first, std::int64_t count,
                     int chunks) {
  for (int chunk = 0; chunk < chunks; ++chunk)
    for (std::int64_t i = 0; i < count; ++i)
      made.add(act::evaluate, first + i, 0, chunk);
}

} // namespace

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
  const auto group =
    head.shape.chunks > 1 ? std::int64_t{place.stages()} : locals;
  for (std::int64_t first = 0; first < locals; first += group)
    add_evaluations(made, first, std::min(group, locals - first),
                    head.shape.chunks);
  return made.take();
}

} // namespace pd
