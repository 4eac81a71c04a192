#include "engine/comm/link_timing.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace pd {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t tag = 0;

double seconds_since_then(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

double median(std::vector<double> all) {
  const auto middle = all.begin() + std::ssize(all) / 2;
  std::ranges::nth_element(all, middle);
  return *middle;
}

class link_timer {
public:
  link_timer(communicator& group, const link_timing_options& options)
    : group_{group},
      options_{options},
      data_(static_cast<std::size_t>(options.message_bytes)) {}

  result<measured_link> run() {
    measured_link made;
    PD_TRY(made.latency_s, latency());
    PD_TRY(const auto seconds, seconds_of_row());
    if (is_first() && seconds > 0)
      made.bandwidth_bytes_per_s =
        static_cast<double>(options_.message_bytes * options_.messages)
        / seconds;
    return is_first() ? made : measured_link{};
  }

private:
  [[nodiscard]] bool is_first() const { return group_.rank() == 0; }
  [[nodiscard]] int peer() const { return 1 - group_.rank(); }

  result<void> send(std::span<const std::byte> bytes) {
    return group_.send(peer(), tag, bytes).wait();
  }

  /// Half of a round trip of four bytes; the first does not count.
  result<double> latency() {
    std::vector<double> seconds;
    for (std::int64_t i = 0; i <= options_.round_trips; ++i) {
      const auto begin = clock::now();
      PD_CHECK(round_trip());
      if (i > 0)
        seconds.push_back(seconds_since_then(begin) / 2);
    }
    return median(std::move(seconds));
  }

  result<void> round_trip() {
    std::array<std::byte, 4> word{};
    auto answer = group_.receive(peer(), tag, word);
    if (is_first()) {
      PD_CHECK(send(word_));
      return answer.wait();
    }
    PD_CHECK(answer.wait());
    return send(word_);
  }

  result<double> seconds_of_row() {
    std::vector<double> seconds;
    for (int i = 0; i <= options_.rows; ++i) {
      PD_CHECK(group_.barrier());
      const auto begin = clock::now();
      PD_CHECK(row());
      if (i > 0)
        seconds.push_back(seconds_since_then(begin));
    }
    return median(std::move(seconds));
  }

  result<void> row() { return is_first() ? send_row() : receive_row(); }

  /// Ends when the other side says that it has all.
  result<void> send_row() {
    std::array<std::byte, 4> word{};
    auto answer = group_.receive(peer(), tag, word);
    for (int i = 0; i < options_.messages; ++i)
      PD_CHECK(send(data_));
    return answer.wait();
  }

  /// All are posted ahead, into one place: nobody reads it.
  result<void> receive_row() {
    std::vector<transfer> posted;
    posted.reserve(static_cast<std::size_t>(options_.messages));
    for (int i = 0; i < options_.messages; ++i)
      posted.push_back(group_.receive(peer(), tag, data_));
    for (auto& each : posted)
      PD_CHECK(each.wait());
    return send(word_);
  }

  communicator& group_;
  link_timing_options options_;
  std::array<std::byte, 4> word_{};
  std::vector<std::byte> data_;
};

} // namespace

result<measured_link> time_link(communicator& group,
                                const link_timing_options& options) {
  return link_timer{group, options}.run();
}

} // namespace pd
