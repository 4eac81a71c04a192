/// What the communicators of one process share.

#pragma once

#include "engine/comm/post_queues.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace pd {

class local_group;

/// A send (`from`) or a receive (`into`). Its group's mutex guards it.
struct local_transfer final : public transfer_state {
  enum class stage { posted, copying, ended };

  [[nodiscard]] int owner() const { return is_send ? key.from : key.to; }
  [[nodiscard]] int peer() const { return is_send ? key.to : key.from; }
  result<void> wait() override;
  void abort() override;

  std::shared_ptr<local_group> group;
  transfer_key key;
  transfer_size size;
  bool is_send = false;
  const std::byte* from = nullptr;
  std::byte* into = nullptr;
  stage at = stage::posted;
  result<void> outcome;
  std::condition_variable ended;
};

/// Thread: any.
class local_group : public std::enable_shared_from_this<local_group> {
public:
  explicit local_group(int size);

  std::shared_ptr<local_transfer>
  post_receive(const transfer_key& key, transfer_size size, std::byte* into);
  std::shared_ptr<local_transfer>
  post_send(const transfer_key& key, transfer_size size, const std::byte* from);
  result<void> wait(local_transfer& one);
  void abort(local_transfer& one);

  /// Each rank adds its share of the elements, once all are here.
  result<void> sum(int rank, std::span<float> data);

  void leave(int rank, const error& why);

private:
  using pointer = std::shared_ptr<local_transfer>;

  pointer make(const transfer_key& key, transfer_size size);
  void post(const pointer& one);
  void match(const pointer& sent, const pointer& received,
             std::unique_lock<std::mutex>& lock);
  void end(local_transfer& one, result<void> outcome);
  void end_what_needs(int rank);
  post_queues<pointer>& queue_of(const local_transfer& one);
  [[nodiscard]] std::optional<error> refusal(int rank, int peer) const;
  [[nodiscard]] std::optional<error> refusal_of_all(int rank) const;

  [[nodiscard]] result<void> check_parts() const;
  result<void> wait_for_parts(int rank, std::unique_lock<std::mutex>& lock);
  void add_share(int rank);
  void wait_for_sums(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  int size_;
  std::vector<std::optional<error>> left_; ///< by rank: why
  post_queues<pointer> sends_;
  post_queues<pointer> receives_;
  std::set<pointer> posted_; ///< what the queues hold

  // The sum that is gathered, or added.
  std::condition_variable changed_;
  std::vector<std::span<float>> parts_;
  result<void> parts_fit_;
  std::uint64_t round_ = 0;
  int arrived_ = 0;
  int added_ = 0;
};

} // namespace pd
