/// One side of a connection, as bench_link drives them all.

#pragma once

#include "engine/comm/communicator.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>

namespace pd {

/// Throws std::runtime_error if the connection fails.
class link_end {
public:
  link_end() = default;
  link_end(const link_end&) = delete;
  link_end& operator=(const link_end&) = delete;
  virtual ~link_end() = default;

  /// Messages come in the order in which memory is given to them.
  virtual void post_receive(std::span<std::byte> into) = 0;
  /// Waits for the oldest that was posted.
  virtual void wait_receive() = 0;
  /// Returns when the memory may be written again.
  virtual void send(std::span<const std::byte> from) = 0;
};

/// Rank 0 or 1 of two.
class communicator_end final : public link_end {
public:
  explicit communicator_end(communicator& group) : group_{group} {}

  void post_receive(std::span<std::byte> into) override;
  void wait_receive() override;
  void send(std::span<const std::byte> from) override;

private:
  communicator& group_;
  std::deque<transfer> posted_;
};

/// A TCP connection with plain reads and writes.
class socket_end final : public link_end {
public:
  /// Owns the descriptor.
  explicit socket_end(int fd);
  ~socket_end() override;

  void post_receive(std::span<std::byte> into) override;
  void wait_receive() override;
  void send(std::span<const std::byte> from) override;

private:
  int fd_;
  std::deque<std::span<std::byte>> posted_;
};

/// A socket that listens on the loopback, and its port.
class loopback_listener {
public:
  loopback_listener();
  loopback_listener(const loopback_listener&) = delete;
  loopback_listener& operator=(const loopback_listener&) = delete;
  ~loopback_listener();

  [[nodiscard]] std::unique_ptr<link_end> accept() const;
  [[nodiscard]] std::unique_ptr<link_end> connect() const;

private:
  int fd_;
  int port_ = 0;
};

/// Throws std::runtime_error with the error's text.
void throw_if_failed(const result<void>& done);

} // namespace pd
