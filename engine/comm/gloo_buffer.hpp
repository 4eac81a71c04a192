/// Memory that Gloo sends from or receives into, once.
///
/// [Note: Gloo's traps] in libgloo 0.5 (Debian 12), each one met here:
///
/// - A message longer than the posted receive ends the process; so sizes are
///   compared before a byte is sent (gloo_group.hpp).
/// - A wait that times out breaks the context; so waits have no end, and are
///   woken by abortWaitSend/abortWaitRecv.
/// - A connection that breaks wakes only what is queued: not the receive whose
///   bytes were arriving nor the send whose bytes were leaving. So who notices
///   wakes all (gloo_link.hpp).
/// - abortWaitRecv hides a completion that came before it, and nothing asks
///   whether one did; so it is called only where success no longer counts.
/// - A buffer that ends while its message is queued stops the connection for
///   ever; so it stays until the other side must have got it, or is gone.
/// - Writing to a broken connection raises SIGPIPE; so it is blocked.
/// - connectFullMesh waits seconds for the connection of a rank that has died;
///   so connections are made here, and may be given up (gloo_mesh.hpp).
/// - close() resets the connection, and the other side loses what it has not
///   read; so ranks part with a handshake.

#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <gloo/context.h>
#include <gloo/transport/unbound_buffer.h>
#include <memory>
#include <string>

namespace pd {

/// What Gloo says, without its "[file:line] " in front.
[[nodiscard]] std::string gloo_reason(const std::exception& fault);

/// Blocks SIGPIPE for this thread, and for those it starts, while it lives.
class sigpipe_blocked {
public:
  sigpipe_blocked();
  sigpipe_blocked(const sigpipe_blocked&) = delete;
  sigpipe_blocked& operator=(const sigpipe_blocked&) = delete;
  ~sigpipe_blocked();

private:
  sigset_t before_{};
  bool was_pending_ = false;
};

/// Thread: any; one waits.
/// Errors: what calls Gloo throws std::exception if the connection is broken.
class gloo_buffer {
public:
  gloo_buffer(gloo::Context& context, void* memory, std::size_t bytes);

  void send(int to, std::uint64_t slot);
  void receive(int from, std::uint64_t slot);

  /// True once it is done, false if it was woken before.
  [[nodiscard]] bool wait_sent();
  [[nodiscard]] bool wait_received();
  void wake();

private:
  std::unique_ptr<gloo::transport::UnboundBuffer> buffer_;
};

} // namespace pd
