#include "engine/comm/chain_sum.hpp"

#include "engine/base/sum_route.hpp"
#include "engine/comm/ordered_sum.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace pd {

namespace {

constexpr std::int64_t posted_ahead = 32; // segments of each way

/// Ends the oldest of transfers that are on their way, if there are `most`.
result<void> make_room(std::deque<transfer>& on_way, std::int64_t most) {
  while (std::ssize(on_way) > most) {
    PD_CHECK(on_way.front().wait());
    on_way.pop_front();
  }
  return {};
}

} // namespace

chain_sum::chain_sum(communicator& group, std::span<float> data,
                     std::uint64_t tag)
  : group_{group},
    data_{data},
    tag_{tag},
    segment_elems_{
      segment_bytes_of(static_cast<std::int64_t>(data.size_bytes()),
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

transfer chain_sum::receive(int peer, traffic kind, std::span<float> into) {
  return group_.post_receive({peer, group_.rank(), kind, tag_},
                             {into.size_bytes(), data_.size_bytes()},
                             std::as_writable_bytes(into).data());
}

transfer chain_sum::send(int peer, traffic kind, std::span<const float> from) {
  return group_.post_send({group_.rank(), peer, kind, tag_},
                          {from.size_bytes(), data_.size_bytes()},
                          std::as_bytes(from).data());
}

/// What the ranks before this one add up to, with this one on to the next; from
/// the last rank the sum, back.
result<void> chain_sum::carry_up() {
  const int before = group_.rank() - 1;
  const int to = is_last() ? before : before + 2;
  const auto kind = is_last() ? traffic::sum : traffic::part;
  std::deque<transfer> coming;
  std::deque<transfer> going;
  std::int64_t posted = 0;
  for (std::int64_t i = 0; i < segments_; ++i) {
    for (; !is_first() && posted < std::min(segments_, i + posted_ahead);
         ++posted)
      coming.push_back(receive(before, traffic::part, scratch(posted)));
    const auto own = segment(i);
    if (!is_first()) {
      PD_CHECK(coming.front().wait());
      coming.pop_front();
      sum_in_order(std::array<const float*, 2>{scratch(i).data(), own.data()},
                   own.data(), std::ssize(own));
    }
    going.push_back(send(to, kind, own));
    PD_CHECK(make_room(going, posted_ahead));
  }
  return make_room(going, 0);
}

/// The sum, from the next rank to the one before.
result<void> chain_sum::carry_down() {
  std::deque<transfer> coming;
  std::deque<transfer> going;
  std::int64_t posted = 0;
  for (std::int64_t i = 0; i < segments_; ++i) {
    for (; posted < std::min(segments_, i + posted_ahead); ++posted)
      coming.push_back(
        receive(group_.rank() + 1, traffic::sum, segment(posted)));
    PD_CHECK(coming.front().wait());
    coming.pop_front();
    if (!is_first())
      going.push_back(send(group_.rank() - 1, traffic::sum, segment(i)));
    PD_CHECK(make_room(going, posted_ahead));
  }
  return make_room(going, 0);
}

result<void> chain_sum::run() {
  if (is_last())
    return carry_up();
  result<void> down;
  {
    const std::jthread returning{[&] { down = carry_down(); }};
    PD_CHECK(carry_up());
  }
  return down;
}

} // namespace pd
