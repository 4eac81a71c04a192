#include "tools/bench/support/link_measure.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>

namespace pd {

namespace {

using clock = std::chrono::steady_clock;
using bytes = std::vector<std::byte>;

constexpr std::int64_t bytes_a_test = 512 << 20; // moved, if not too many times
constexpr std::int64_t most_rounds = 500;
constexpr std::int64_t least_rounds = 3;

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

double median(std::vector<double> all) {
  std::ranges::sort(all);
  return all[all.size() / 2];
}

std::int64_t rounds_of(std::int64_t size) {
  return std::clamp(bytes_a_test / size, least_rounds, most_rounds);
}

/// A message whose bytes follow from its size, and its number at both ends.
class message {
public:
  explicit message(std::int64_t size) : data_(static_cast<std::size_t>(size)) {
    for (std::size_t i = 0; i < data_.size(); ++i)
      data_[i] = at(i);
  }

  [[nodiscard]] std::span<const std::byte> numbered(std::uint32_t number) {
    std::memcpy(data_.data(), &number, sizeof number);
    std::memcpy(end(data_), &number, sizeof number);
    return data_;
  }

  /// That `got` is what numbered() gave.
  static void check_ends(bytes& got, std::uint32_t number) {
    if (std::memcmp(got.data(), &number, sizeof number) != 0
        || std::memcmp(end(got), &number, sizeof number) != 0)
      throw std::runtime_error{"another message arrived"};
  }

  static void check_all(const bytes& got) {
    for (std::size_t i = 4; i + 4 < got.size(); ++i)
      if (got[i] != at(i))
        throw std::runtime_error{"other bytes arrived"};
  }

private:
  static std::byte at(std::size_t i) {
    return static_cast<std::byte>((i * 2654435761U) >> 11U);
  }
  static std::byte* end(bytes& of) { return of.data() + of.size() - 4; }

  bytes data_;
};

/// Two messages that come in by turns, one always posted ahead.
class inbox {
public:
  inbox(link_end& from, std::int64_t size)
    : from_{from},
      slots_{bytes(static_cast<std::size_t>(size)),
             bytes(static_cast<std::size_t>(size))} {
    from_.post_receive(slots_[0]);
    from_.post_receive(slots_[1]);
  }

  void take(bool is_last_but_one) {
    from_.wait_receive();
    auto& got = slots_[number_ % 2];
    message::check_ends(got, number_++);
    if (!is_last_but_one)
      from_.post_receive(got);
  }

  void check() const {
    for (const auto& each : slots_)
      message::check_all(each);
  }

private:
  link_end& from_;
  std::array<bytes, 2> slots_;
  std::uint32_t number_ = 0;
};

/// Median of half a round trip in seconds; the first round does not count.
double ping_pong(link_end& end, int side, std::int64_t size) {
  const auto rounds = rounds_of(2 * size) + 1;
  message out{size};
  inbox in{end, size};
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    const auto begin = clock::now();
    if (side == 0)
      end.send(out.numbered(number));
    in.take(i + 2 >= rounds);
    if (side == 1)
      end.send(out.numbered(number));
    if (i > 0)
      seconds.push_back(seconds_since(begin) / 2);
  }
  in.check();
  return median(std::move(seconds));
}

/// Seconds a message of a row from side 0 to side 1.
double stream(link_end& end, int side, std::int64_t size) {
  const auto messages = rounds_of(size) + 1;
  bytes answer(4);
  if (side == 1) {
    inbox in{end, size};
    for (std::int64_t i = 0; i < messages; ++i)
      in.take(i + 2 >= messages);
    end.send(answer);
    in.check();
    return 0;
  }
  message out{size};
  end.post_receive(answer);
  end.send(out.numbered(0));
  const auto begin = clock::now();
  for (std::int64_t i = 1; i < messages; ++i)
    end.send(out.numbered(static_cast<std::uint32_t>(i)));
  end.wait_receive();
  return seconds_since(begin) / static_cast<double>(messages - 1);
}

link_figures measure_size(link_end& end, int side, std::int64_t size) {
  link_figures here{size, 0, 0};
  here.latency_us = ping_pong(end, side, size) * 1e6;
  here.gb_per_s = static_cast<double>(size) / stream(end, side, size) * 1e-9;
  return here;
}

/// Small whole numbers, whose sum is exact.
void fill(std::vector<float>& data, int rank) {
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>((i + static_cast<std::size_t>(rank)) % 1000);
}

void check_sum(const std::vector<float>& data, int ranks) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    float wanted = 0;
    for (std::size_t r = 0; r < static_cast<std::size_t>(ranks); ++r)
      wanted += static_cast<float>((i + r) % 1000);
    if (data[i] != wanted)
      throw std::runtime_error{"a sum is wrong"};
  }
}

double sum_seconds(communicator& group, std::int64_t size) {
  std::vector<float> data(static_cast<std::size_t>(size) / 4);
  std::vector<double> seconds;
  const auto rounds = std::min<std::int64_t>(rounds_of(4 * size), 100);
  for (std::int64_t i = 0; i <= rounds; ++i) {
    fill(data, group.rank());
    throw_if_failed(group.barrier());
    const auto begin = clock::now();
    throw_if_failed(group.sum(data));
    if (i > 0)
      seconds.push_back(seconds_since(begin));
  }
  check_sum(data, group.size());
  return median(std::move(seconds));
}

} // namespace

std::vector<std::int64_t> link_sizes(bool is_quick) {
  if (is_quick)
    return {4, 64 << 10, 1 << 20, 16 << 20};
  std::vector<std::int64_t> all;
  for (std::int64_t size = 4; size <= 256 << 20; size *= 4)
    all.push_back(size);
  return all;
}

std::vector<link_figures> measure_link(link_end& end, int side,
                                       const std::vector<std::int64_t>& sizes) {
  std::vector<link_figures> all;
  all.reserve(sizes.size());
  for (const auto size : sizes)
    all.push_back(measure_size(end, side, size));
  return all;
}

std::vector<link_figures>
measure_memcpy(const std::vector<std::int64_t>& sizes) {
  std::vector<link_figures> all;
  for (const auto size : sizes) {
    message from{size};
    bytes to(static_cast<std::size_t>(size));
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < rounds_of(size) + 1; ++i) {
      const auto data = from.numbered(static_cast<std::uint32_t>(i));
      const auto begin = clock::now();
      std::memcpy(to.data(), data.data(), data.size());
      seconds.push_back(seconds_since(begin));
      message::check_ends(to, static_cast<std::uint32_t>(i));
    }
    message::check_all(to);
    const auto once = median(std::move(seconds));
    all.push_back({size, once * 1e6, static_cast<double>(size) / once * 1e-9});
  }
  return all;
}

std::vector<sum_figures> measure_sums(communicator& group,
                                      const std::vector<std::int64_t>& sizes) {
  std::vector<sum_figures> all;
  for (const auto size : sizes) {
    const auto seconds = sum_seconds(group, size);
    const auto rate = static_cast<double>(size) / seconds * 1e-9;
    const auto ranks = static_cast<double>(group.size());
    all.push_back({size, seconds, rate, rate * 2 * (ranks - 1) / ranks});
  }
  return all;
}

} // namespace pd
