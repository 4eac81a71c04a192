/// Workers that are processes of this machine, started and ended here; and
/// what such a process does.
///
///     coordinator's process                      worker's process
///     child_process ── starts ─────────────────▶ run_worker_process
///                   ◀── "listening on H:P" ────  publishes a worker
///     connect       ── CAF, loopback ──────────▶
///     rendezvous    ◀── keys ──────────────────  Gloo meets through it
///     status_board  ◀── shared memory ─────────  what its actors do

#pragma once

#include "actors/remoting.hpp"
#include "actors/worker_host.hpp"
#include "actors/worker_places.hpp"
#include "engine/graph/registry.hpp"
#include "engine/train/deployment.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace pd {

/// Starts a process for each worker at its place, with `command` and the
/// options that run_worker_process wants, and connects to it.
/// @pre `in` has a network_config; `at` is for as many workers as there are, or
/// for none: any port of the loopback then
/// Errors: io, with the worker; deployment_interrupted once `stop` is set.
[[nodiscard]] result<std::unique_ptr<worker_host>>
start_worker_processes(caf::actor_system& in,
                       const std::shared_ptr<const deployment>& all,
                       const std::vector<std::string>& command,
                       worker_places at, const std::atomic<bool>& stop);

struct worker_process_options {
  network_address listen;
  bool is_child = false; ///< of start_worker_processes
};

/// What start_worker_processes adds to its command.
inline constexpr const char* child_option = "--child";

/// Publishes a worker, prints "listening on HOST:PORT", and ends the process
/// with status 0 when the worker has ended: by order, or since its coordinator
/// is gone. Returns only an error.
/// Errors: io; bad_value for an address that is not this machine's own, since
/// what listens there takes orders from anyone who connects.
[[nodiscard]] result<void>
run_worker_process(const worker_process_options& options, const registry& ops);

} // namespace pd
