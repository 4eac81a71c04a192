/// One send or receive on its way, and what it is matched by.

#pragma once

#include "engine/base/error.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace pd {

/// Whose bytes: tags of one kind do not meet those of another.
enum class traffic : std::uint32_t {
  user, ///< send and receive
  part, ///< of a sum, on its way to who adds it
  sum,  ///< the added segment, on its way back
  barrier,
};

/// What a send and a receive have in common if they belong together. Of
/// several with one key the first sent goes to the first posted.
struct transfer_key {
  int from = 0;
  int to = 0;
  traffic kind = traffic::user;
  std::uint64_t tag = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): of the comparison itself
  auto operator<=>(const transfer_key&) const = default;
  /// True if it needs every rank of the group.
  [[nodiscard]] bool is_collective() const { return kind != traffic::user; }
};

/// Both must be the same on both sides.
struct transfer_size {
  std::uint64_t bytes = 0;
  std::uint64_t whole = 0; ///< bytes of the whole sum that it is a part of

  bool operator==(const transfer_size&) const = default;
};

/// bad_shape, with both sizes, both ranks and the tag.
[[nodiscard]] error size_mismatch(const transfer_key& key,
                                  const transfer_size& sent,
                                  const transfer_size& wanted);

/// What a transport keeps of a transfer.
class transfer_state {
public:
  transfer_state() = default;
  transfer_state(const transfer_state&) = delete;
  transfer_state& operator=(const transfer_state&) = delete;
  virtual ~transfer_state() = default;

  virtual result<void> wait() = 0;
  virtual void abort() = 0;
};

/// A send or receive that was posted. Owns nothing of the memory it moves,
/// which must stay until wait() returned or this ended.
///
/// Thread: wait() from one thread, abort() from any other while this lives.
class transfer {
public:
  transfer() = default; ///< done
  explicit transfer(std::shared_ptr<transfer_state> state)
    : state_{std::move(state)} {}
  transfer(transfer&&) noexcept = default;
  transfer& operator=(transfer&& other) noexcept {
    if (this != &other) {
      end();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  /// Aborts and waits.
  ~transfer() { end(); }

  /// Blocks until the bytes are here, or may be written again (send), or never
  /// will be. Says the same again when asked again.
  /// Errors: bad_shape if the sizes differ; interrupted if aborted or closed;
  /// failed if the peer is gone, with its rank.
  [[nodiscard]] result<void> wait() {
    return state_ ? state_->wait() : result<void>{};
  }

  /// Makes wait() return soon: with success if the bytes are on their way
  /// already. The group and its other transfers go on.
  void abort() {
    if (state_)
      state_->abort();
  }

private:
  void end() {
    abort();
    (void)wait();
    state_.reset();
  }

  std::shared_ptr<transfer_state> state_;
};

// -- errors, the same over every transport ------------------------------------

[[nodiscard]] error aborted_error(const transfer_key& key);
[[nodiscard]] error closed_error();
[[nodiscard]] error left_error(int rank);
[[nodiscard]] error gone_error(int rank, const std::string& why);

} // namespace pd
