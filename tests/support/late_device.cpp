#include "tests/support/late_device.hpp"

#include <chrono>
#include <omp.h>
#include <utility>

namespace pd {

namespace {

/// A point that one thread reaches and any may wait for.
class late_event final : public event_state {
public:
  void reach() {
    const std::scoped_lock lock{guard_};
    is_done_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool is_done() const override {
    const std::scoped_lock lock{guard_};
    return is_done_;
  }
  void block() override {
    std::unique_lock lock{guard_};
    changed_.wait(lock, [this] { return is_done_; });
  }

private:
  mutable std::mutex guard_;
  std::condition_variable changed_;
  bool is_done_ = false;
};

} // namespace

late_stream::late_stream(int threads, random_key pauses, int most_us)
  : threads_{threads}, pauses_{pauses}, most_us_{most_us}, worker_{[this] {
      do_all();
    }} {}

late_stream::~late_stream() {
  {
    const std::scoped_lock lock{guard_};
    is_ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

void late_stream::run(const std::function<void()>& work) {
  queue(work);
}

event late_stream::record() {
  auto point = std::make_shared<late_event>();
  queue([point] { point->reach(); });
  return event{std::move(point)};
}

void late_stream::wait(const event& point) {
  queue([point] { point.block(); });
}

void late_stream::hold() {
  const std::scoped_lock lock{guard_};
  is_held_ = true;
}

void late_stream::release() {
  const std::scoped_lock lock{guard_};
  is_held_ = false;
  changed_.notify_all();
}

void late_stream::queue(std::function<void()> work) {
  const std::scoped_lock lock{guard_};
  queued_.push_back(std::move(work));
  changed_.notify_all();
}

bool late_stream::has_more() {
  std::unique_lock lock{guard_};
  changed_.wait(lock, [this] { return is_ending_ || !queued_.empty(); });
  return !queued_.empty();
}

std::function<void()> late_stream::take() {
  std::unique_lock lock{guard_};
  changed_.wait(lock, [this] { return is_ending_ || !is_held_; });
  auto work = std::move(queued_.front());
  queued_.pop_front();
  return work;
}

void late_stream::do_all() {
  omp_set_num_threads(threads_); // of this thread's team, as cpu_stream does
  for (std::uint64_t count = 0; has_more(); ++count) {
    pause(count);
    take()();
  }
}

void late_stream::pause(std::uint64_t count) const {
  if (most_us_ <= 0)
    return;
  const auto most = static_cast<std::uint64_t>(most_us_);
  const auto us = uniform_below(pauses_, count, most + 1);
  std::this_thread::sleep_for(std::chrono::microseconds{us});
}

std::unique_ptr<late_stream> late_device::make_late_stream() {
  return std::make_unique<late_stream>(
    threads(), make_random_key(seed_, "late_stream", streams_++), most_us_);
}

} // namespace pd
