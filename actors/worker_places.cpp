#include "actors/worker_places.hpp"

namespace pd {

result<worker_place> place_of(const cluster& on, int worker) {
  const auto& at = on.workers[static_cast<std::size_t>(worker)];
  if (at.network_namespace.empty())
    return error{errc::bad_value,
                 "cluster: worker " + std::to_string(worker)
                   + ": wanted one in a network namespace of this machine, "
                     "as tools/netlab makes them, got none"};
  return worker_place{at.address, at.network_namespace};
}

result<worker_places>
places_in(const cluster& on, const std::string& coordinator_host, int workers) {
  if (on.size() < workers)
    return error{errc::bad_value, "cluster: wanted at least "
                                    + std::to_string(workers)
                                    + " workers, as the job has, got "
                                    + std::to_string(on.size())};
  worker_places made;
  for (int w = 0; w < workers; ++w) {
    PD_TRY(auto place, place_of(on, w));
    made.workers.push_back(std::move(place));
  }
  if (!coordinator_host.empty())
    made.coordinator_host = coordinator_host;
  return made;
}

std::vector<std::string> command_at(const worker_place& at,
                                    const std::vector<std::string>& command) {
  if (at.network_namespace.empty())
    return command;
  std::vector<std::string> made{"ip", "netns", "exec", at.network_namespace};
  made.insert(made.end(), command.begin(), command.end());
  return made;
}

} // namespace pd
