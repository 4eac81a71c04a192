#include "engine/schedule/placement.hpp"

#include "engine/base/text.hpp"
#include "engine/schedule/newest_versions.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr int max_replicas = 4096;
constexpr std::size_t max_stages = 4096;

error bad_count(const std::string& what, int most, int found) {
  return {errc::bad_value, what + ": wanted 1 to " + std::to_string(most)
                             + ", found " + std::to_string(found)};
}

} // namespace

std::string to_string(const pipeline_shape& shape) {
  std::vector<std::string> parts;
  parts.reserve(shape.replicas.size());
  for (const int each : shape.replicas)
    parts.push_back(std::to_string(each));
  const auto text = join(parts, "-");
  return shape.chunks == 1
           ? text
           : text + " of " + std::to_string(shape.chunks) + " chunks";
}

result<void> check(const pipeline_shape& shape) {
  const auto& replicas = shape.replicas;
  if (replicas.empty() || replicas.size() > max_stages)
    return error{errc::bad_value,
                 "shape: wanted 1 to " + std::to_string(max_stages)
                   + " stages, found " + std::to_string(replicas.size())};
  for (std::size_t s = 0; s < replicas.size(); ++s)
    if (replicas[s] < 1 || replicas[s] > max_replicas)
      return bad_count("replicas of stage " + std::to_string(s), max_replicas,
                       replicas[s]);
  if (shape.chunks < 1 || shape.chunks > max_chunk + 1)
    return bad_count("chunks", max_chunk + 1, shape.chunks);
  const bool is_even =
    std::all_of(replicas.begin(), replicas.end(),
                [&](int each) { return each == replicas[0]; });
  if (shape.chunks > 1 && !is_even)
    return error{errc::bad_value,
                 "shape " + to_string(shape)
                   + ": wanted as many replicas at each stage, since a "
                     "worker has several chunks"};
  return {};
}

placement::placement(const pipeline_shape& shape)
  : chunks_{shape.chunks}, replicas_{shape.replicas} {
  for (int stage = 0; stage < static_cast<int>(replicas_.size()); ++stage) {
    first_.push_back(workers());
    stage_.insert(stage_.end(), at(replicas(stage)), stage);
  }
}

std::string placement::describe(int worker) const {
  return "worker " + std::to_string(worker) + " (stage "
         + std::to_string(stage_of(worker)) + ", replica "
         + std::to_string(replica_of(worker)) + ")";
}

} // namespace pd
