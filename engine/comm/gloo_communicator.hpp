/// The ranks of a group are processes (or threads), bytes go over TCP by Gloo.

#pragma once

#include "engine/comm/communicator.hpp"
#include "engine/comm/store.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace pd {

struct gloo_options {
  int rank = 0;
  int size = 1;
  /// Names the group in the store. A group made anew takes another.
  std::string prefix = "group";
  std::string host = "127.0.0.1"; ///< address that the other ranks connect to
  std::string interface {};       ///< "eth0": instead of `host`
  /// What ranks of one machine have in common, and no others; empty: `host`,
  /// or the system's host name. Sums take their way by it.
  std::string machine{};
  std::chrono::milliseconds timeout{30'000}; ///< until all ranks are connected
  /// Of a sum, at most; the same at every rank.
  std::int64_t segment_bytes = default_segment_bytes;
};

/// Joins the group and waits for all its ranks. The connections are neither
/// secret nor authenticated.
///
/// Owns: an epoll thread, and two threads for every other rank, which sleep
/// but for messages of some bytes.
/// Thread: any; the store is not used after the return.
/// Errors: io if a rank does not come, with its number, or the store is closed;
/// bad_value if the ranks disagree on the options, or the host has no address.
[[nodiscard]] result<std::unique_ptr<communicator>>
make_gloo_communicator(rendezvous_store& store, const gloo_options& options);

} // namespace pd
