#include "engine/comm/gloo_link.hpp"

#include <limits>
#include <utility>

namespace pd {

namespace {

constexpr int frames_ahead = 32;
constexpr auto sentinel_slot = std::numeric_limits<std::uint64_t>::max();

} // namespace

struct gloo_link::incoming_frame {
  explicit incoming_frame(gloo::Context& context)
    : buffer{context, &frame, sizeof frame} {}

  gloo_frame frame;
  gloo_buffer buffer;
};

outgoing_frame::outgoing_frame(gloo::Context& context, const gloo_frame& what)
  : frame{what}, buffer{context, &frame, sizeof frame} {}

void outgoing_frame::send(int to) {
  buffer.send(to, control_slot);
}

gloo_link::gloo_link(gloo::Context& context, int peer, frame_handler on_frame,
                     death_handler on_death)
  : peer_{peer},
    on_frame_{std::move(on_frame)},
    on_death_{std::move(on_death)},
    sentinel_{context, &nothing_, sizeof nothing_} {
  for (int i = 0; i < frames_ahead; ++i)
    posted_.push_back(std::make_unique<incoming_frame>(context));
  const sigpipe_blocked guard; // for the threads too
  listener_ = std::thread{[this] { listen(); }};
  watcher_ = std::thread{[this] { watch(); }};
}

gloo_link::~gloo_link() {
  is_stopping_ = true;
  for (const auto& each : posted_)
    each->buffer.wake();
  sentinel_.wake();
  listener_.join();
  watcher_.join();
}

void gloo_link::listen() try {
  for (const auto& each : posted_)
    each->buffer.receive(peer_, control_slot);
  for (std::size_t next = 0; !is_stopping_;) {
    auto& in = *posted_[next];
    if (!in.buffer.wait_received())
      continue; // stopping
    const auto frame = in.frame;
    in.buffer.receive(peer_, control_slot);
    next = (next + 1) % posted_.size();
    on_frame_(peer_, frame);
  }
} catch (const std::exception& fault) {
  on_death_(peer_, gloo_reason(fault));
}

/// Gloo tells a broken connection to every receive that is queued; this one
/// always is. See [Note: Gloo's traps].
void gloo_link::watch() try {
  sentinel_.receive(peer_, sentinel_slot);
  while (!is_stopping_)
    (void)sentinel_.wait_received();
} catch (const std::exception& fault) {
  on_death_(peer_, gloo_reason(fault));
}

} // namespace pd
