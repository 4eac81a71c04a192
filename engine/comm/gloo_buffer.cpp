#include "engine/comm/gloo_buffer.hpp"

#include <chrono>
#include <ctime>

namespace pd {

namespace {

constexpr std::chrono::hours forever{24 * 365};

sigset_t only_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool is_sigpipe_pending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

} // namespace

std::string gloo_reason(const std::exception& fault) {
  const std::string text = fault.what();
  const auto end = text.find("] ");
  return text.starts_with('[') && end != std::string::npos
           ? text.substr(end + 2)
           : text;
}

sigpipe_blocked::sigpipe_blocked() : was_pending_{is_sigpipe_pending()} {
  const auto set = only_sigpipe();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
}

sigpipe_blocked::~sigpipe_blocked() {
  if (!was_pending_ && is_sigpipe_pending()) {
    const auto set = only_sigpipe();
    const timespec at_once{};
    sigtimedwait(&set, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

gloo_buffer::gloo_buffer(gloo::Context& context, void* memory,
                         std::size_t bytes)
  : buffer_{context.createUnboundBuffer(memory, bytes)} {}

void gloo_buffer::send(int to, std::uint64_t slot) {
  const sigpipe_blocked guard;
  buffer_->send(to, slot);
}

void gloo_buffer::receive(int from, std::uint64_t slot) {
  const sigpipe_blocked guard;
  buffer_->recv(from, slot);
}

bool gloo_buffer::wait_sent() {
  return buffer_->waitSend(forever);
}

bool gloo_buffer::wait_received() {
  return buffer_->waitRecv(forever);
}

void gloo_buffer::wake() {
  buffer_->abortWaitSend();
  buffer_->abortWaitRecv();
}

} // namespace pd
