/// Where the workers of a job live, and how the client meets them.

#pragma once

#include "actors/handles.hpp"
#include "engine/comm/communicator.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Of who is told to stop before there is anything to drain.
[[nodiscard]] inline error deployment_interrupted() {
  return {errc::interrupted, "interrupted before all workers were ready"};
}

/// Thread: its owner's.
class worker_host {
public:
  worker_host() = default;
  worker_host(const worker_host&) = delete;
  worker_host& operator=(const worker_host&) = delete;
  /// After the actor system is gone. What is left of the workers goes, too.
  virtual ~worker_host() = default;

  /// By worker. They are not deployed yet.
  [[nodiscard]] virtual const std::vector<worker_actor>& workers() const = 0;
  /// Empty: all are in this process.
  [[nodiscard]] virtual rendezvous_actor meeting_place() const { return {}; }
  /// What the stage of a worker does, or did last.
  [[nodiscard]] virtual std::string doing(int worker) const = 0;
  /// Who is told if a worker's process ends.
  virtual void watch(const coordinator_actor&) {}
  /// The client's end of the group of all workers: its rank comes after
  /// theirs. Blocks until all have joined. Errors: of the group.
  [[nodiscard]] virtual result<std::shared_ptr<communicator>> join() = 0;
  /// Ends the workers by order and waits for them, not for long if they failed.
  virtual void end(bool have_failed) = 0;
};

} // namespace pd
