/// CAF's settings, and the one place where actors are published and found.
///
/// [Note: CAF's traps] in 0.17.6 (Debian 12), each one met here:
///
/// - publish() binds every interface unless it is given an address.
/// - Heartbeats are off, and not answered: both sides send their own, or a peer
///   that is frozen is never missed and one that is idle is dropped.
/// - A heartbeat in the midst of a handshake ends it with connection_timeout:
///   the interval is long, and who connects tries again.
/// - connect() blocks the middleman, for all: a port that nobody listens on is
///   found by a socket of our own first.
/// - An actor that talked to another process may be held by its own system for
///   ever, which then waits for the actor's thread: a worker's process ends
///   without the system's destructor.
/// - The default scheduler has four threads and polls: ours has one, which
///   sleeps.

#pragma once

#include "actors/handles.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace pd {

/// For actors of one process.
struct engine_config : caf::actor_system_config {
  engine_config();
};

/// For actors that talk to those of other processes, too.
struct network_config : engine_config {
  network_config();
};

struct network_address {
  std::string host = "127.0.0.1"; ///< numeric
  std::uint16_t port = 0;         ///< 0: any
};

/// "127.0.0.1:7400". Errors: bad_value.
[[nodiscard]] result<network_address> parse_address(const std::string& text);
[[nodiscard]] std::string to_string(const network_address& at);

/// Makes a worker reachable at an address, and there only; gives the port.
/// Errors: io.
[[nodiscard]] result<network_address> publish(caf::actor_system& in,
                                              const worker_actor& which,
                                              const network_address& at);

/// The worker at an address.
/// Errors: io if nobody listens there or it is no worker of this version.
[[nodiscard]] result<worker_actor> connect(caf::actor_system& in,
                                           const network_address& at,
                                           std::chrono::milliseconds timeout);

} // namespace pd
