#include "tools/bench/support/link_ends.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace pd {

namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error{errno, std::system_category(), what};
}

sockaddr_in loopback(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

/// The type that the socket calls want.
template <class Address>
auto* as_sockaddr(Address& at) {
  return reinterpret_cast<sockaddr*>(&at);
}

int open_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0)
    throw_errno("socket");
  return fd;
}

} // namespace

void throw_if_failed(const result<void>& done) {
  if (!done)
    throw std::runtime_error{done.failure().message};
}

// -- communicator -------------------------------------------------------------

void communicator_end::post_receive(std::span<std::byte> into) {
  posted_.push_back(group_.receive(1 - group_.rank(), 0, into));
}

void communicator_end::wait_receive() {
  throw_if_failed(posted_.front().wait());
  posted_.pop_front();
}

void communicator_end::send(std::span<const std::byte> from) {
  throw_if_failed(group_.send(1 - group_.rank(), 0, from).wait());
}

// -- socket -------------------------------------------------------------------

socket_end::socket_end(int fd) : fd_{fd} {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

socket_end::~socket_end() {
  ::close(fd_);
}

void socket_end::post_receive(std::span<std::byte> into) {
  posted_.push_back(into);
}

void socket_end::wait_receive() {
  auto into = posted_.front();
  posted_.pop_front();
  while (!into.empty()) {
    const auto got = ::recv(fd_, into.data(), into.size(), MSG_WAITALL);
    if (got <= 0)
      throw_errno("recv");
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

void socket_end::send(std::span<const std::byte> from) {
  while (!from.empty()) {
    const auto sent = ::send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      throw_errno("send");
    from = from.subspan(static_cast<std::size_t>(sent));
  }
}

loopback_listener::loopback_listener() : fd_{open_socket()} {
  auto at = loopback(0);
  socklen_t bytes = sizeof at;
  if (::bind(fd_, as_sockaddr(at), bytes) != 0 || ::listen(fd_, 1) != 0
      || ::getsockname(fd_, as_sockaddr(at), &bytes) != 0)
    throw_errno("listen");
  port_ = ntohs(at.sin_port);
}

loopback_listener::~loopback_listener() {
  ::close(fd_);
}

std::unique_ptr<link_end> loopback_listener::accept() const {
  const int fd = ::accept(fd_, nullptr, nullptr);
  if (fd < 0)
    throw_errno("accept");
  return std::make_unique<socket_end>(fd);
}

std::unique_ptr<link_end> loopback_listener::connect() const {
  const int fd = open_socket();
  auto at = loopback(port_);
  if (::connect(fd, as_sockaddr(at), sizeof at) != 0)
    throw_errno("connect");
  return std::make_unique<socket_end>(fd);
}

} // namespace pd
