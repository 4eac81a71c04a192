/// Model parallelism without input pipelining: a worker has one microbatch in
/// flight, so its weights are always the newest. 1F1B of depth one.

#include "engine/schedule/families.hpp"

namespace pd {

std::vector<int> model_parallel_depth(const timetable& head) {
  return std::vector<int>(head.shape.replicas.size(), 1);
}

row model_parallel_row(const timetable& head, int worker) {
  return pipedream_row(head, worker);
}

} // namespace pd
