/// The control messages from one peer, and the notice of its death.

#pragma once

#include "engine/comm/gloo_buffer.hpp"
#include "engine/comm/transfer.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace pd {

/// A control message. Both sides run on machines of one kind.
struct gloo_frame {
  enum class message : std::uint32_t {
    credit,      ///< a receive is posted, its bytes go to slot `id`
    refused,     ///< of receive `id`: the send has `size`
    cancel,      ///< takes back the credit `id`
    not_matched, ///< reply to cancel: no bytes will come
    matched,     ///< reply to cancel: too late, they come
    dropped,     ///< of receive `id`: this rank leaves, no bytes will come
    leave,       ///< this rank sends nothing more
    leave_open,  ///< the same, out of a sum or barrier
    leave_seen,  ///< its reply
  };

  message what = message::credit;
  traffic kind = traffic::user;
  std::uint64_t tag = 0;
  std::uint64_t id = 0;
  transfer_size size;
};

/// A frame that goes out. Stays until the peer must have got it.
struct outgoing_frame {
  outgoing_frame(gloo::Context& context, const gloo_frame& frame);
  outgoing_frame(const outgoing_frame&) = delete;
  outgoing_frame& operator=(const outgoing_frame&) = delete;
  ~outgoing_frame() = default;

  void send(int to);

  gloo_frame frame;
  gloo_buffer buffer;
};

/// Slot of all frames; the bytes of a transfer go to the slot of its id.
constexpr std::uint64_t control_slot = 0;
constexpr std::uint64_t first_id = 1;

/// Listens on one thread and watches on another.
///
/// Thread: the two functions are called on these threads.
class gloo_link {
public:
  using frame_handler = std::function<void(int peer, const gloo_frame&)>;
  using death_handler = std::function<void(int peer, const std::string& why)>;

  gloo_link(gloo::Context& context, int peer, frame_handler on_frame,
            death_handler on_death);
  gloo_link(const gloo_link&) = delete;
  gloo_link& operator=(const gloo_link&) = delete;
  ~gloo_link(); ///< stops

private:
  struct incoming_frame;

  void listen();
  void watch();

  int peer_;
  frame_handler on_frame_;
  death_handler on_death_;
  std::atomic<bool> is_stopping_ = false;
  std::vector<std::unique_ptr<incoming_frame>> posted_; ///< a ring
  std::byte nothing_{};
  gloo_buffer sentinel_; ///< a receive that nobody sends to
  std::thread listener_;
  std::thread watcher_;
};

} // namespace pd
