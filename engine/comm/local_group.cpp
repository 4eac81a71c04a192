#include "engine/comm/local_group.hpp"

#include "engine/comm/ordered_sum.hpp"

#include <algorithm>
#include <cstring>

namespace pd {

result<void> local_transfer::wait() {
  return group->wait(*this);
}

void local_transfer::abort() {
  group->abort(*this);
}

local_group::local_group(int size)
  : size_{size},
    left_(static_cast<std::size_t>(size)),
    parts_(static_cast<std::size_t>(size)) {}

// -- transfers ----------------------------------------------------------------

local_group::pointer local_group::make(const transfer_key& key,
                                       transfer_size size) {
  auto made = std::make_shared<local_transfer>();
  made->group = shared_from_this();
  made->key = key;
  made->size = size;
  return made;
}

local_group::pointer local_group::post_receive(const transfer_key& key,
                                               transfer_size size,
                                               std::byte* into) {
  auto one = make(key, size);
  one->into = into;
  post(one);
  return one;
}

local_group::pointer local_group::post_send(const transfer_key& key,
                                            transfer_size size,
                                            const std::byte* from) {
  auto one = make(key, size);
  one->is_send = true;
  one->from = from;
  post(one);
  return one;
}

post_queues<local_group::pointer>&
local_group::queue_of(const local_transfer& one) {
  return one.is_send ? sends_ : receives_;
}

void local_group::post(const pointer& one) {
  std::unique_lock lock{mutex_};
  if (const auto why = refusal(one->owner(), one->peer()))
    return end(*one, *why);
  auto& others = one->is_send ? receives_ : sends_;
  if (const auto other = others.take_first(one->key)) {
    posted_.erase(*other);
    match(one->is_send ? one : *other, one->is_send ? *other : one, lock);
  } else {
    queue_of(*one).push(one->key, one);
    posted_.insert(one);
  }
}

void local_group::match(const pointer& sent, const pointer& received,
                        std::unique_lock<std::mutex>& lock) {
  result<void> outcome;
  if (sent->size == received->size) {
    sent->at = received->at = local_transfer::stage::copying;
    lock.unlock();
    if (sent->size.bytes > 0)
      std::memcpy(received->into, sent->from, sent->size.bytes);
    lock.lock();
  } else {
    outcome = size_mismatch(sent->key, sent->size, received->size);
  }
  end(*sent, outcome);
  end(*received, outcome);
}

void local_group::end(local_transfer& one, result<void> outcome) {
  one.at = local_transfer::stage::ended;
  one.outcome = std::move(outcome);
  one.ended.notify_all();
}

result<void> local_group::wait(local_transfer& one) {
  std::unique_lock lock{mutex_};
  one.ended.wait(lock, [&] { return one.at == local_transfer::stage::ended; });
  return one.outcome;
}

void local_group::abort(local_transfer& one) {
  const std::lock_guard lock{mutex_};
  if (one.at != local_transfer::stage::posted)
    return;
  const auto is_it = [&](const pointer& each) { return each.get() == &one; };
  queue_of(one).remove(one.key, is_it);
  std::erase_if(posted_, is_it);
  end(one, aborted_error(one.key));
}

// -- who is still there -------------------------------------------------------

std::optional<error> local_group::refusal(int rank, int peer) const {
  if (const auto& why = left_[static_cast<std::size_t>(rank)])
    return why;
  if (left_[static_cast<std::size_t>(peer)])
    return left_error(peer);
  return std::nullopt;
}

std::optional<error> local_group::refusal_of_all(int rank) const {
  for (int peer = 0; peer < size_; ++peer)
    if (auto why = refusal(rank, peer))
      return why;
  return std::nullopt;
}

void local_group::leave(int rank, const error& why) {
  const std::lock_guard lock{mutex_};
  auto& left = left_[static_cast<std::size_t>(rank)];
  if (left)
    return;
  left = why;
  end_what_needs(rank);
  changed_.notify_all();
}

void local_group::end_what_needs(int rank) {
  for (auto at = posted_.begin(); at != posted_.end();) {
    const auto one = *at;
    if (one->owner() != rank && one->peer() != rank) {
      ++at;
      continue;
    }
    at = posted_.erase(at);
    queue_of(*one).remove(one->key,
                          [&](const pointer& each) { return each == one; });
    end(*one, *refusal(one->owner(), rank));
  }
}

// -- sums ---------------------------------------------------------------------

result<void> local_group::sum(int rank, std::span<float> data) {
  std::unique_lock lock{mutex_};
  parts_[static_cast<std::size_t>(rank)] = data;
  PD_CHECK(wait_for_parts(rank, lock));
  auto fits = parts_fit_;
  if (fits) {
    lock.unlock();
    add_share(rank);
    lock.lock();
  }
  wait_for_sums(lock);
  return fits;
}

/// From here on nobody can leave: all are busy adding.
result<void> local_group::wait_for_parts(int rank,
                                         std::unique_lock<std::mutex>& lock) {
  if (const auto why = refusal_of_all(rank))
    return *why;
  if (++arrived_ == size_) {
    parts_fit_ = check_parts();
    changed_.notify_all();
    return {};
  }
  changed_.wait(lock, [&] {
    return arrived_ == size_ || refusal_of_all(rank).has_value();
  });
  if (arrived_ == size_)
    return {};
  return *refusal_of_all(rank);
}

result<void> local_group::check_parts() const {
  for (int r = 1; r < size_; ++r) {
    const auto wanted = parts_[0].size_bytes();
    const auto given = parts_[static_cast<std::size_t>(r)].size_bytes();
    if (given != wanted)
      return size_mismatch({r, 0, traffic::part, 0}, {0, given}, {0, wanted});
  }
  return {};
}

void local_group::add_share(int rank) {
  const auto elems = std::ssize(parts_[0]);
  const auto begin = elems * rank / size_;
  const auto end = elems * (rank + 1) / size_;
  std::vector<const float*> from;
  for (const auto& part : parts_)
    from.push_back(part.data() + begin);
  sum_in_order(from, parts_[0].data() + begin, end - begin);
  for (const auto& part : std::span{parts_}.subspan(1))
    std::copy_n(from[0], end - begin, part.data() + begin);
}

void local_group::wait_for_sums(std::unique_lock<std::mutex>& lock) {
  if (++added_ == size_) {
    arrived_ = added_ = 0;
    ++round_;
    changed_.notify_all();
    return;
  }
  changed_.wait(lock, [this, round = round_] { return round_ != round; });
}

} // namespace pd
