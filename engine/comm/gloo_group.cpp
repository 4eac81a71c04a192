#include "engine/comm/gloo_group.hpp"

#include <algorithm>
#include <utility>

namespace pd {

namespace {

constexpr std::chrono::seconds parting_limit{1};

} // namespace

// -- a transfer ---------------------------------------------------------------

gloo_transfer::gloo_transfer(std::shared_ptr<gloo_group> in, bool sends,
                             const transfer_key& its_key,
                             transfer_size its_size, void* memory)
  : group{std::move(in)},
    is_send{sends},
    key{its_key},
    size{its_size},
    payload{group->context(), its_size.bytes > 0 ? memory : &nothing,
            std::max<std::uint64_t>(1, its_size.bytes)} {}

result<void> gloo_transfer::wait() {
  return group->wait(*this);
}

void gloo_transfer::abort() {
  group->abort(*this);
}

// -- posting ------------------------------------------------------------------

gloo_group::gloo_group(std::shared_ptr<gloo::Context> context)
  : context_{std::move(context)},
    peers_(static_cast<std::size_t>(context_->size)) {}

void gloo_group::start() {
  for (int peer = 0; peer < context_->size; ++peer)
    if (peer != context_->rank)
      state_of(peer).link = std::make_unique<gloo_link>(
        *context_, peer,
        [this](int from, const gloo_frame& frame) { on_frame(from, frame); },
        [this](int from, const std::string& why) { on_death(from, why); });
}

gloo_group::peer_state& gloo_group::state_of(int peer) {
  return peers_[static_cast<std::size_t>(peer)];
}

gloo_group::pointer gloo_group::make(bool is_send, const transfer_key& key,
                                     transfer_size size, const void* memory) {
  // Gloo takes what it only reads as void* too.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  return std::make_shared<gloo_transfer>(shared_from_this(), is_send, key, size,
                                         const_cast<void*>(memory));
}

/// False if it failed at once. @pre the mutex is held
bool gloo_group::add(const pointer& one) {
  one->id = next_id_++;
  if (const auto why = refusal(*one)) {
    end(*one, *why);
    return false;
  }
  transfers_.emplace(one->id, one);
  return true;
}

std::shared_ptr<gloo_transfer> gloo_group::post_receive(const transfer_key& key,
                                                        transfer_size size,
                                                        std::byte* into) {
  auto one = make(false, key, size, into);
  {
    const std::lock_guard lock{mutex_};
    if (!add(one))
      return one;
  }
  try {
    one->payload.receive(key.from, one->id);
    one->credit = std::make_unique<outgoing_frame>(
      *context_, gloo_frame{gloo_frame::message::credit, key.kind, key.tag,
                            one->id, size});
    one->credit->send(key.from);
  } catch (const std::exception& fault) {
    on_death(key.from, gloo_reason(fault));
  }
  return one;
}

std::shared_ptr<gloo_transfer> gloo_group::post_send(const transfer_key& key,
                                                     transfer_size size,
                                                     const std::byte* from) {
  auto one = make(true, key, size, from);
  std::optional<credit> to;
  {
    const std::lock_guard lock{mutex_};
    if (!add(one))
      return one;
    to = credits_.take_first(key);
    if (to)
      one->is_matched = true;
    else
      sends_.push(key, one);
  }
  if (to)
    start_send(one, *to);
  return one;
}

/// Sends the bytes, or says on both sides why not.
void gloo_group::start_send(const pointer& one, const credit& to) {
  if (one->size != to.size) {
    reply(one->key.to, {gloo_frame::message::refused, one->key.kind,
                        one->key.tag, to.id, one->size});
    const std::lock_guard lock{mutex_};
    return end(*one, size_mismatch(one->key, one->size, to.size));
  }
  try {
    one->payload.send(one->key.to, to.id);
  } catch (const std::exception& fault) {
    return on_death(one->key.to, gloo_reason(fault));
  }
  const std::lock_guard lock{mutex_};
  one->is_started = true;
  one->changed.notify_all();
}

void gloo_group::reply(int peer, const gloo_frame& frame) {
  outgoing_frame* made = nullptr;
  {
    const std::lock_guard lock{mutex_};
    made = &replies_.emplace_back(*context_, frame);
  }
  try {
    made->send(peer);
  } catch (const std::exception& fault) {
    on_death(peer, gloo_reason(fault));
  }
}

// -- waiting ------------------------------------------------------------------

result<void> gloo_group::wait(gloo_transfer& one) {
  if (one.outcome)
    return *one.outcome;
  const bool is_moved = wait_until_started(one) && wait_for_bytes(one);
  const std::lock_guard lock{mutex_};
  one.outcome = is_moved ? result<void>{} : *one.verdict;
  if (!one.is_cancel_open)
    transfers_.erase(one.id);
  return *one.outcome;
}

/// False if there is a verdict. A receive is started when it is posted.
bool gloo_group::wait_until_started(gloo_transfer& one) {
  std::unique_lock lock{mutex_};
  if (one.is_send)
    one.changed.wait(lock, [&] { return one.is_started || one.verdict; });
  return !one.verdict;
}

/// False if there is a verdict.
bool gloo_group::wait_for_bytes(gloo_transfer& one) {
  while (true) {
    try {
      if (one.is_send ? one.payload.wait_sent() : one.payload.wait_received())
        return true;
    } catch (const std::exception& fault) {
      on_death(one.peer(), gloo_reason(fault));
      const std::lock_guard lock{mutex_};
      end(one, is_cut_ ? *closing_ : *absence(one.peer()));
    }
    const std::lock_guard lock{mutex_};
    if (one.verdict)
      return false;
  }
}

void gloo_group::abort(gloo_transfer& one) {
  if (!begin_abort(one))
    return;
  try {
    one.cancel->send(one.key.from);
  } catch (const std::exception& fault) {
    on_death(one.key.from, gloo_reason(fault));
  }
}

/// True if the sender is to be asked: only it knows whether bytes are coming.
bool gloo_group::begin_abort(gloo_transfer& one) {
  const std::lock_guard lock{mutex_};
  if (one.outcome || one.verdict || one.cancel)
    return false;
  const auto is_it = [&](const pointer& each) { return each.get() == &one; };
  if (one.is_send) {
    if (sends_.remove(one.key, is_it))
      end(one, aborted_error(one.key));
    return false;
  }
  one.cancel = std::make_unique<outgoing_frame>(
    *context_, gloo_frame{gloo_frame::message::cancel, one.key.kind,
                          one.key.tag, one.id, one.size});
  one.is_cancel_open = true;
  return true;
}

// -- what the peers say -------------------------------------------------------

void gloo_group::on_frame(int peer, const gloo_frame& frame) {
  switch (frame.what) {
  case gloo_frame::message::credit:
    return on_credit(peer, frame);
  case gloo_frame::message::refused:
    return on_refused(frame);
  case gloo_frame::message::cancel:
    return on_cancel(peer, frame);
  case gloo_frame::message::not_matched:
  case gloo_frame::message::matched:
    return on_cancel_reply(frame);
  case gloo_frame::message::dropped:
    return on_dropped(peer, frame);
  case gloo_frame::message::leave:
    return on_leave(peer, false);
  case gloo_frame::message::leave_open:
    return on_leave(peer, true);
  case gloo_frame::message::leave_seen:
    return on_leave_seen(peer);
  }
}

void gloo_group::on_credit(int peer, const gloo_frame& frame) {
  const transfer_key key{context_->rank, peer, frame.kind, frame.tag};
  std::optional<pointer> one;
  bool is_dropped = false;
  {
    const std::lock_guard lock{mutex_};
    is_dropped = closing_.has_value();
    if (!is_dropped)
      one = sends_.take_first(key);
    if (one)
      (*one)->is_matched = true;
    else if (!is_dropped)
      credits_.push(key, {frame.id, frame.size});
  }
  if (one)
    start_send(*one, {frame.id, frame.size});
  if (is_dropped)
    reply(peer, {gloo_frame::message::dropped, {}, {}, frame.id, {}});
}

void gloo_group::on_refused(const gloo_frame& frame) {
  const std::lock_guard lock{mutex_};
  if (const auto at = transfers_.find(frame.id); at != transfers_.end())
    end(*at->second,
        size_mismatch(at->second->key, frame.size, at->second->size));
}

void gloo_group::on_cancel(int peer, const gloo_frame& frame) {
  const transfer_key key{context_->rank, peer, frame.kind, frame.tag};
  bool was_waiting = false;
  {
    const std::lock_guard lock{mutex_};
    was_waiting = credits_.remove(
      key, [&](const credit& each) { return each.id == frame.id; });
  }
  auto answer = frame;
  answer.what = was_waiting ? gloo_frame::message::not_matched
                            : gloo_frame::message::matched;
  reply(peer, answer);
}

void gloo_group::on_cancel_reply(const gloo_frame& frame) {
  const std::lock_guard lock{mutex_};
  const auto at = transfers_.find(frame.id);
  if (at == transfers_.end())
    return;
  auto& one = *at->second;
  one.is_cancel_open = false;
  if (frame.what == gloo_frame::message::not_matched)
    end(one, aborted_error(one.key));
  if (one.outcome) // it ended before the reply came
    transfers_.erase(at);
}

void gloo_group::on_dropped(int peer, const gloo_frame& frame) {
  const std::lock_guard lock{mutex_};
  if (const auto at = transfers_.find(frame.id); at != transfers_.end())
    end(*at->second, left_error(peer));
}

void gloo_group::on_leave(int peer, bool is_open) {
  {
    const std::lock_guard lock{mutex_};
    state_of(peer).has_left = true;
    if (is_open)
      break_collectives(left_error(peer));
    end_what_needs(peer);
  }
  reply(peer, {gloo_frame::message::leave_seen, {}, {}, {}, {}});
}

void gloo_group::on_leave_seen(int peer) {
  const std::lock_guard lock{mutex_};
  state_of(peer).has_seen_leave = true;
  changed_.notify_all();
}

void gloo_group::on_death(int peer, const std::string& why) {
  const std::lock_guard lock{mutex_};
  auto& state = state_of(peer);
  if (is_cut_ || state.gone)
    return;
  state.gone = why;
  end_what_needs(peer);
  changed_.notify_all();
}

// -- ending -------------------------------------------------------------------

/// While the group closes, every error is that. @pre the mutex is held
void gloo_group::end(gloo_transfer& one, result<void> verdict) {
  if (one.verdict)
    return;
  one.verdict = !verdict && closing_ ? *closing_ : std::move(verdict);
  one.changed.notify_all();
  one.payload.wake();
  if (one.key.is_collective() && !*one.verdict)
    break_collectives(one.verdict->failure());
}

/// (4) @pre the mutex is held
void gloo_group::break_collectives(const error& why) {
  if (broken_)
    return;
  broken_ = why;
  for (const auto& [id, one] : transfers_)
    if (one->key.is_collective())
      end(*one, why);
}

/// (3) @pre the mutex is held
void gloo_group::end_what_needs(int peer) {
  const auto& state = state_of(peer);
  const auto why = *absence(peer);
  if (!state.has_left)
    break_collectives(why);
  for (const auto& [id, one] : transfers_) {
    if (one->peer() != peer)
      continue;
    if (!state.has_left || (one->is_send && !one->is_matched))
      end(*one, why);
    else if (one->is_send && state.gone)
      end(*one, {});
  }
}

/// Why nothing goes to this peer or comes from it.
std::optional<error> gloo_group::absence(int peer) const {
  const auto& state = peers_[static_cast<std::size_t>(peer)];
  if (state.has_left)
    return left_error(peer);
  if (state.gone)
    return gone_error(peer, *state.gone);
  return std::nullopt;
}

std::optional<error> gloo_group::refusal(const gloo_transfer& one) const {
  if (closing_)
    return closing_;
  if (auto why = absence(one.peer()))
    return why;
  return one.key.is_collective() ? broken_ : std::nullopt;
}

/// Of a sum or barrier that a peer may be done with here but not elsewhere.
/// @pre the mutex is held
bool gloo_group::has_open_collective() const {
  return broken_ || std::ranges::any_of(transfers_, [](const auto& each) {
           return each.second->key.is_collective();
         });
}

bool gloo_group::have_all_parted() const {
  for (int peer = 0; peer < context_->size; ++peer) {
    const auto& state = peers_[static_cast<std::size_t>(peer)];
    if (peer != context_->rank && !state.has_seen_leave && !state.gone)
      return false;
  }
  return true;
}

/// Says goodbye: (3). Nothing is matched any more.
void gloo_group::part(int peer, bool is_open) {
  std::vector<std::uint64_t> unmatched;
  {
    const std::lock_guard lock{mutex_};
    credits_.drain(peer,
                   [&](const credit& each) { unmatched.push_back(each.id); });
  }
  for (const auto id : unmatched)
    reply(peer, {gloo_frame::message::dropped, {}, {}, id, {}});
  reply(peer,
        {is_open ? gloo_frame::message::leave_open : gloo_frame::message::leave,
         {},
         {},
         {},
         {}});
}

void gloo_group::close(const error& why) {
  std::unique_lock lock{mutex_};
  if (closing_)
    return changed_.wait(lock, [this] { return is_closed_; });
  closing_ = why;
  const bool is_open = has_open_collective();
  lock.unlock();
  for (int peer = 0; peer < context_->size; ++peer)
    if (peer != context_->rank)
      part(peer, is_open);
  lock.lock();
  changed_.wait_for(lock, parting_limit, [this] { return have_all_parted(); });
  is_cut_ = true;
  lock.unlock();
  context_->closeConnections();
  for (auto& each : peers_)
    each.link.reset();
  lock.lock();
  for (const auto& [id, one] : transfers_)
    end(*one, why);
  transfers_.clear(); // they hold the group
  sends_ = {};
  is_closed_ = true;
  changed_.notify_all();
}

} // namespace pd
