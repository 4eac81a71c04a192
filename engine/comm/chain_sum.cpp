#include "engine/comm/chain_sum.hpp"

#include "engine/comm/ordered_sum.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <thread>

namespace pd {

namespace {

/// Segments of each way that are posted ahead: so many that none waits for a
/// credit behind the bytes of others.
constexpr std::int64_t posted_ahead = 32;

} // namespace

/// Receives all segments from a peer, into where `place` says.
class chain_sum::incoming {
public:
  using placing = std::span<float> (chain_sum::*)(std::int64_t) const;

  incoming(chain_sum& of, int peer, traffic kind, placing place)
    : of_{of}, peer_{peer}, kind_{kind}, place_{place} {}

  /// Waits for the next segment.
  result<void> next() {
    const auto end = std::min(of_.segments_, came_ + posted_ahead);
    for (; posted_ < end; ++posted_)
      post(std::invoke(place_, of_, posted_));
    PD_CHECK(on_way_.front().wait());
    on_way_.pop_front();
    ++came_;
    return {};
  }

private:
  void post(std::span<float> into) {
    on_way_.push_back(of_.group_.receive_of_sum(peer_, kind_, of_.tag_, into,
                                                of_.data_.size_bytes()));
  }

  chain_sum& of_;
  int peer_;
  traffic kind_;
  placing place_;
  std::deque<transfer> on_way_;
  std::int64_t posted_ = 0;
  std::int64_t came_ = 0;
};

/// Sends segments to a peer.
class chain_sum::outgoing {
public:
  outgoing(chain_sum& of, int peer, traffic kind)
    : of_{of}, peer_{peer}, kind_{kind} {}

  result<void> send(std::span<const float> from) {
    on_way_.push_back(of_.group_.send_of_sum(peer_, kind_, of_.tag_, from,
                                             of_.data_.size_bytes()));
    return finish(posted_ahead);
  }

  /// Until no more than `most` are on their way.
  result<void> finish(std::int64_t most = 0) {
    while (std::ssize(on_way_) > most) {
      PD_CHECK(on_way_.front().wait());
      on_way_.pop_front();
    }
    return {};
  }

private:
  chain_sum& of_;
  int peer_;
  traffic kind_;
  std::deque<transfer> on_way_;
};

chain_sum::chain_sum(communicator& group, std::span<float> data,
                     std::uint64_t tag)
  : group_{group},
    data_{data},
    tag_{tag},
    segment_elems_{
      chain_segment_bytes(static_cast<std::int64_t>(data.size_bytes()),
                          group.segment_bytes_)
      / 4},
    segments_{std::max<std::int64_t>(1, (std::ssize(data) + segment_elems_ - 1)
                                          / segment_elems_)} {
  const auto wanted = static_cast<std::size_t>(std::min(posted_ahead, segments_)
                                               * segment_elems_);
  if (!is_first() && group.scratch_.size() < wanted)
    group.scratch_.resize(wanted);
}

std::span<float> chain_sum::segment(std::int64_t index) const {
  const auto begin = index * segment_elems_;
  const auto elems = std::min(segment_elems_, std::ssize(data_) - begin);
  return data_.subspan(static_cast<std::size_t>(begin),
                       static_cast<std::size_t>(elems));
}

std::span<float> chain_sum::scratch(std::int64_t index) const {
  const auto begin = index % posted_ahead * segment_elems_;
  return std::span{group_.scratch_}.subspan(static_cast<std::size_t>(begin),
                                            segment(index).size());
}

result<void> chain_sum::send_parts() {
  outgoing parts{*this, behind(), traffic::part};
  for (std::int64_t i = 0; i < segments_; ++i)
    PD_CHECK(parts.send(segment(i)));
  return parts.finish();
}

/// What the ranks before this one add up to, and this one: on to the next, or
/// from the last rank back.
result<void> chain_sum::add_parts() {
  incoming parts{*this, before(), traffic::part, &chain_sum::scratch};
  outgoing sums{*this, is_last() ? before() : behind(),
                is_last() ? traffic::sum : traffic::part};
  for (std::int64_t i = 0; i < segments_; ++i) {
    PD_CHECK(parts.next());
    const auto own = segment(i);
    const std::array<const float*, 2> both{scratch(i).data(), own.data()};
    sum_in_order(both, own.data(), std::ssize(own));
    PD_CHECK(sums.send(own));
  }
  return sums.finish();
}

result<void> chain_sum::return_sums() {
  incoming sums{*this, behind(), traffic::sum, &chain_sum::segment};
  outgoing back{*this, before(), traffic::sum};
  for (std::int64_t i = 0; i < segments_; ++i) {
    PD_CHECK(sums.next());
    if (!is_first())
      PD_CHECK(back.send(segment(i)));
  }
  return back.finish();
}

result<void> chain_sum::run() {
  if (is_last())
    return add_parts();
  result<void> returned;
  result<void> sent;
  {
    const std::jthread returning{[&] { returned = return_sums(); }};
    sent = is_first() ? send_parts() : add_parts();
  }
  return sent ? returned : sent;
}

} // namespace pd
