#include "engine/comm/segmented_sum.hpp"

#include "engine/comm/ordered_sum.hpp"

#include <algorithm>

namespace pd {

namespace {

constexpr std::int64_t bytes_ahead = 128 << 10; // posted ahead of the adding
constexpr std::int64_t bytes_on_way = 1 << 20;  // at once

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

} // namespace

segmented_sum::segmented_sum(communicator& group, std::span<float> data,
                             std::uint64_t tag)
  : group_{group},
    data_{data},
    tag_{tag},
    scratch_{group.scratch_},
    segment_elems_{segment_elems_of(
      group,
      std::max<std::int64_t>(1, ceil_div(std::ssize(data), group.size())))},
    segments_{std::max<std::int64_t>(
      1, ceil_div(ceil_div(std::ssize(data), group.size()), segment_elems_))} {
  const auto bytes = 4 * segment_elems_;
  reduce_lag_ =
    std::max<std::int64_t>(1, std::min(segments_, bytes_ahead / bytes));
  finish_lag_ =
    std::max<std::int64_t>(3, std::min(segments_, bytes_on_way / bytes));
  const auto wanted = static_cast<std::size_t>(
    std::min(scratch_slots(), segments_) * group.size() * segment_elems_);
  if (scratch_.size() < wanted)
    scratch_.resize(wanted);
}

std::int64_t segmented_sum::segment_elems_of(const communicator& group,
                                             std::int64_t shard_elems) {
  const auto most = group.segment_bytes_;
  const auto bytes = group.loads_.exchange == 0
                       ? most
                       : exchange_segment_bytes(4 * shard_elems, most);
  return std::min(bytes / 4, shard_elems);
}

std::int64_t segmented_sum::shard_begin(int owner) const {
  return std::ssize(data_) * owner / group_.size();
}

std::span<float> segmented_sum::slice(int owner, std::int64_t segment) const {
  const auto end = shard_begin(owner + 1);
  const auto begin =
    std::min(end, shard_begin(owner) + segment * segment_elems_);
  const auto elems = std::min(segment_elems_, end - begin);
  return data_.subspan(static_cast<std::size_t>(begin),
                       static_cast<std::size_t>(elems));
}

std::span<float> segmented_sum::scratch(int peer, std::int64_t segment) {
  const auto slot = segment % scratch_slots() * group_.size() + peer;
  return std::span{scratch_}.subspan(
    static_cast<std::size_t>(slot * segment_elems_),
    slice(group_.rank(), segment).size());
}

std::vector<int> segmented_sum::peers() const {
  std::vector<int> all; // the next rank first, so that not all ask one at once
  all.reserve(static_cast<std::size_t>(group_.size()));
  for (int i = 1; i < group_.size(); ++i)
    all.push_back((group_.rank() + i) % group_.size());
  return all;
}

transfer segmented_sum::receive(int peer, traffic kind, std::span<float> into) {
  return group_.receive_of_sum(peer, kind, tag_, into, data_.size_bytes());
}

transfer segmented_sum::send(int peer, traffic kind,
                             std::span<const float> from) {
  return group_.send_of_sum(peer, kind, tag_, from, data_.size_bytes());
}

void segmented_sum::post(std::int64_t segment) {
  auto& here = steps_.emplace_back();
  for (const int peer : peers()) {
    here.parts.push_back(receive(peer, traffic::part, scratch(peer, segment)));
    here.others.push_back(receive(peer, traffic::sum, slice(peer, segment)));
  }
  for (const int peer : peers())
    here.others.push_back(send(peer, traffic::part, slice(peer, segment)));
}

void segmented_sum::add(std::int64_t segment) {
  const auto mine = slice(group_.rank(), segment);
  std::vector<const float*> parts;
  parts.reserve(static_cast<std::size_t>(group_.size()));
  for (int r = 0; r < group_.size(); ++r)
    parts.push_back(r == group_.rank() ? mine.data()
                                       : scratch(r, segment).data());
  sum_in_order(parts, mine.data(), std::ssize(mine));
}

result<void> segmented_sum::reduce(std::int64_t segment) {
  auto& here = steps_[static_cast<std::size_t>(segment - finished_)];
  for (auto& each : here.parts)
    PD_CHECK(each.wait());
  add(segment);
  for (const int peer : peers())
    here.others.push_back(
      send(peer, traffic::sum, slice(group_.rank(), segment)));
  return {};
}

result<void> segmented_sum::finish() {
  for (auto& each : steps_.front().others)
    PD_CHECK(each.wait());
  steps_.pop_front();
  ++finished_;
  return {};
}

result<void> segmented_sum::run() {
  if (group_.size() == 1)
    return {};
  for (std::int64_t i = 0; i < segments_ + finish_lag_; ++i) {
    if (i < segments_)
      post(i);
    if (i >= reduce_lag_ && i - reduce_lag_ < segments_)
      PD_CHECK(reduce(i - reduce_lag_));
    if (i >= finish_lag_)
      PD_CHECK(finish());
  }
  return {};
}

} // namespace pd
