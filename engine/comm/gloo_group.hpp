/// Transfers over one Gloo context.
///
///     receiver                               sender
///     receive: posts slot `id` ── credit ──▶ keeps it, or has a send for it
///                                            send: takes the first credit
///              slot `id` ◀──── bytes ──────  if the sizes are the same
///                        ◀──── refused ────  if not
///
/// Invariants:
///
/// (1) Bytes go only to a slot that is posted, and has their size.
///
/// (2) A transfer ends with its bytes moved, or when Gloo touches its memory
///     no more: refused, taken back, or its connection closed. Only what is
///     collective may end before; it closes the group next.
///
/// (3) A rank that leaves says which credits it drops before it says so. So a
///     receive from it that is not dropped has its bytes. A matched send to it
///     is a success: the bytes are there, or the peer did not wait for them.
///     A death ends all transfers with that rank.
///
/// (4) One transfer of a sum or barrier that fails ends the others of it, and a
///     death does, and a rank that leaves out of one.
///
/// (5) No lock is held in a call of Gloo that may write to a socket.

#pragma once

#include "engine/comm/gloo_link.hpp"
#include "engine/comm/post_queues.hpp"

#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>

namespace pd {

class gloo_group;

/// One transfer at this rank. Its group's mutex guards what changes.
class gloo_transfer final : public transfer_state {
public:
  gloo_transfer(std::shared_ptr<gloo_group> group, bool is_send,
                const transfer_key& key, transfer_size size, void* memory);

  result<void> wait() override;
  void abort() override;

  [[nodiscard]] int peer() const { return is_send ? key.to : key.from; }

  std::shared_ptr<gloo_group> group;
  const bool is_send;
  const transfer_key key;
  const transfer_size size;
  std::byte nothing{}; ///< what moves if there are no bytes to move
  gloo_buffer payload;
  std::uint64_t id = 0;
  std::unique_ptr<outgoing_frame> credit; ///< of a receive
  std::unique_ptr<outgoing_frame> cancel; ///< of a receive that was aborted
  bool is_matched = false;                ///< a send that has its credit
  bool is_started = false;                ///< its bytes are with Gloo
  bool is_cancel_open = false;            ///< without a reply yet
  std::optional<result<void>> verdict;    ///< whatever Gloo says of the bytes
  std::optional<result<void>> outcome;    ///< of wait()
  std::condition_variable changed;
};

/// Thread: any. end() is called once by its owner, last.
class gloo_group : public std::enable_shared_from_this<gloo_group> {
public:
  explicit gloo_group(std::shared_ptr<gloo::Context> context);

  /// Starts to listen to the peers.
  void start();

  std::shared_ptr<gloo_transfer>
  post_receive(const transfer_key& key, transfer_size size, std::byte* into);
  std::shared_ptr<gloo_transfer>
  post_send(const transfer_key& key, transfer_size size, const std::byte* from);
  result<void> wait(gloo_transfer& one);
  void abort(gloo_transfer& one);

  /// Parts from the peers, then closes the connections and ends every wait.
  /// Whoever calls it while it runs waits too.
  void close(const error& why);

  [[nodiscard]] gloo::Context& context() { return *context_; }

private:
  using pointer = std::shared_ptr<gloo_transfer>;

  struct peer_state {
    bool has_left = false;
    bool has_seen_leave = false;
    std::optional<std::string> gone; ///< why
    std::unique_ptr<gloo_link> link;
  };

  struct credit {
    std::uint64_t id = 0;
    transfer_size size;
  };

  pointer make(bool is_send, const transfer_key& key, transfer_size size,
               const void* memory);
  bool add(const pointer& one);
  void start_send(const pointer& one, const credit& to);
  void reply(int peer, const gloo_frame& frame);
  bool wait_until_started(gloo_transfer& one);
  bool wait_for_bytes(gloo_transfer& one);
  bool begin_abort(gloo_transfer& one);

  void on_frame(int peer, const gloo_frame& frame);
  void on_credit(int peer, const gloo_frame& frame);
  void on_refused(const gloo_frame& frame);
  void on_cancel(int peer, const gloo_frame& frame);
  void on_cancel_reply(const gloo_frame& frame);
  void on_dropped(int peer, const gloo_frame& frame);
  void on_leave(int peer, bool is_open);
  void on_leave_seen(int peer);
  void on_death(int peer, const std::string& why);

  void end(gloo_transfer& one, result<void> verdict);
  void end_what_needs(int peer);
  void break_collectives(const error& why);
  void part(int peer, bool is_open);
  [[nodiscard]] std::optional<error> refusal(const gloo_transfer& one) const;
  [[nodiscard]] std::optional<error> absence(int peer) const;
  [[nodiscard]] bool has_open_collective() const;
  [[nodiscard]] bool have_all_parted() const;
  [[nodiscard]] peer_state& state_of(int peer);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<gloo::Context> context_;
  std::vector<peer_state> peers_; ///< by rank
  std::uint64_t next_id_ = first_id;
  std::map<std::uint64_t, pointer> transfers_; ///< not ended, by id
  post_queues<pointer> sends_;                 ///< without a credit
  post_queues<credit> credits_;                ///< without a send
  std::list<outgoing_frame> replies_;          ///< few; kept until the end
  std::optional<error> broken_; ///< why no collective can end any more
  std::optional<error> closing_;
  bool is_cut_ = false; ///< the connections are closed, or about to be
  bool is_closed_ = false;
};

} // namespace pd
