#include "tools/pd_engine/trace.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace pd {

namespace {

std::int64_t first_us(const std::vector<worker_trace>& from) {
  auto first = std::numeric_limits<std::int64_t>::max();
  for (const auto& worker : from)
    for (const auto& each : worker)
      first = std::min(first, each.begin_us);
  return first;
}

nlohmann::json event_of(const traced_action& from, std::size_t worker,
                        std::int64_t first) {
  return {{"name", from.name + " " + std::to_string(from.index)},
          {"cat", from.name},
          {"ph", "X"},
          {"pid", 0},
          {"tid", worker},
          {"ts", from.begin_us - first},
          {"dur", from.end_us - from.begin_us}};
}

} // namespace

std::string trace_json(const std::vector<worker_trace>& from) {
  const auto first = first_us(from);
  auto events = nlohmann::json::array();
  for (std::size_t w = 0; w < from.size(); ++w) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 0},
                      {"tid", w},
                      {"args", {{"name", "worker " + std::to_string(w)}}}});
    for (const auto& each : from[w])
      events.push_back(event_of(each, w, first));
  }
  return nlohmann::json{{"traceEvents", events}}.dump();
}

} // namespace pd
