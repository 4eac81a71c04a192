#include "engine/data/prefetch.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/clock.hpp"
#include "engine/data/batch_reader.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace pd {

namespace {

struct batch_slot {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  std::int64_t epoch = 0;
  std::int64_t microbatch = 0;
  std::int64_t samples = 0;
};

/// A queue of slot numbers that never grows: there are only so many slots.
class slot_queue {
public:
  explicit slot_queue(int capacity)
    : slots_(static_cast<std::size_t>(capacity)) {}

  [[nodiscard]] bool is_empty() const { return count_ == 0; }

  void push(int slot) {
    PD_ASSERT(count_ < slots_.size());
    slots_[(first_ + count_++) % slots_.size()] = slot;
  }

  int pop() {
    PD_ASSERT(count_ > 0);
    const auto at = first_;
    first_ = (first_ + 1) % slots_.size();
    --count_;
    return slots_[at];
  }

private:
  std::vector<int> slots_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

} // namespace

/// What the reading thread, the consumer and the batches it holds share. A
/// slot's contents belong to whoever took its number from a queue.
class prefetch_state {
public:
  prefetch_state(const dataset& from, const sampler_spec& order, int slots)
    : free_{slots}, ready_{slots}, slots_(static_cast<std::size_t>(slots)) {
    const auto batch = static_cast<std::size_t>(order.microbatch);
    for (int i = 0; i < slots; ++i) {
      auto& made = slot(i);
      made.images.resize(batch
                         * static_cast<std::size_t>(from.image().elems()));
      made.labels.resize(batch);
      free_.push(i);
    }
  }

  batch_slot& slot(int number) {
    return slots_[static_cast<std::size_t>(number)];
  }

  /// A free slot, or -1 if the thread is to stop.
  int take_free(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    const bool is_free =
      freed_.wait(lock, stop, [this] { return !free_.is_empty(); });
    return is_free && !stop.stop_requested() ? free_.pop() : -1;
  }

  void give_free(int number) {
    const std::lock_guard lock{mutex_};
    free_.push(number);
    freed_.notify_one();
  }

  void give_ready(int number, std::int64_t fill_us) {
    const std::lock_guard lock{mutex_};
    ready_.push(number);
    stats_.fill_us += fill_us;
    changed_.notify_one();
  }

  /// Nothing comes after what is ready.
  void finish(result<void> outcome) {
    const std::lock_guard lock{mutex_};
    is_over_ = true;
    outcome_ = std::move(outcome);
    changed_.notify_one();
  }

  /// A ready slot, or -1 at the end.
  result<int> take_ready() {
    std::unique_lock lock{mutex_};
    if (ready_.is_empty() && !is_over_) {
      const auto begin_us = now_us();
      changed_.wait(lock, [this] { return !ready_.is_empty() || is_over_; });
      stats_.stall_us += now_us() - begin_us;
    }
    if (!ready_.is_empty()) {
      ++stats_.batches;
      return ready_.pop();
    }
    PD_CHECK(outcome_);
    return -1;
  }

  prefetch_stats stats() {
    const std::lock_guard lock{mutex_};
    return stats_;
  }

private:
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::condition_variable changed_;
  slot_queue free_;
  slot_queue ready_;
  std::vector<batch_slot> slots_;
  prefetch_stats stats_;
  result<void> outcome_;
  bool is_over_ = false;
};

namespace {

/// What the reading thread works on.
struct reading {
  const dataset& from;
  sampler order;
  prefetch_options options;
  prefetch_state& state;
  std::stop_token stop;
  batch_reader team{options.threads};

  /// False if it is to stop.
  result<bool> read_batch(std::int64_t microbatch) {
    const int number = state.take_free(stop);
    if (number < 0)
      return false;
    const auto begin_us = now_us();
    auto& into = state.slot(number);
    const auto indices = order.indices(microbatch);
    PD_CHECK(
      team.fill(from, {indices, order.epoch()}, into.images, into.labels));
    into.epoch = order.epoch();
    into.microbatch = microbatch;
    into.samples = std::ssize(indices);
    state.give_ready(number, now_us() - begin_us);
    return true;
  }

  result<bool> read_epoch(std::int64_t first) {
    const int step = options.replicas;
    for (auto k = next_of_replica(first, options.replica, step);
         k < order.microbatches(); k += step) {
      PD_TRY(const bool goes_on, read_batch(k));
      if (!goes_on)
        return false;
    }
    return true;
  }

  result<void> read_epochs() {
    auto first = options.first_microbatch;
    for (std::int64_t i = 0; i < options.epochs; ++i) {
      order.start_epoch(options.first_epoch + i);
      PD_TRY(const bool goes_on, read_epoch(std::exchange(first, 0)));
      if (!goes_on)
        break;
    }
    return {};
  }

  /// Where a fault of the thread becomes an error.
  result<void> run() {
    try {
      return read_epochs();
    } catch (const std::exception& fault) {
      return error{errc::failed, from.name() + ": " + fault.what()};
    }
  }
};

void check_options(const prefetch_options& options) {
  PD_ASSERT(options.slots >= 1);
  PD_ASSERT(options.first_epoch >= 0 && options.epochs >= 0);
  PD_ASSERT(options.first_microbatch >= 0);
  PD_ASSERT(options.threads >= 1);
  PD_ASSERT(options.replica >= 0 && options.replica < options.replicas);
}

} // namespace

prefetched_batch::prefetched_batch(std::shared_ptr<prefetch_state> owner,
                                   int slot)
  : owner_{std::move(owner)}, slot_{slot} {}

prefetched_batch::prefetched_batch(prefetched_batch&& other) noexcept
  : owner_{std::move(other.owner_)}, slot_{other.slot_} {}

prefetched_batch&
prefetched_batch::operator=(prefetched_batch&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::move(other.owner_);
    slot_ = other.slot_;
  }
  return *this;
}

void prefetched_batch::release() {
  if (const auto owner = std::exchange(owner_, nullptr))
    owner->give_free(slot_);
}

std::int64_t prefetched_batch::epoch() const {
  return owner_->slot(slot_).epoch;
}

std::int64_t prefetched_batch::microbatch() const {
  return owner_->slot(slot_).microbatch;
}

std::int64_t prefetched_batch::samples() const {
  return owner_->slot(slot_).samples;
}

std::span<const float> prefetched_batch::images() const {
  return owner_->slot(slot_).images;
}

std::span<const std::int32_t> prefetched_batch::labels() const {
  return owner_->slot(slot_).labels;
}

prefetch::prefetch(const dataset& from, sampler order,
                   const prefetch_options& options) {
  check_options(options);
  PD_ASSERT_EQ(order.spec().samples, from.size());
  state_ = std::make_shared<prefetch_state>(from, order.spec(), options.slots);
  reader_ = std::jthread{[&from, order = std::move(order), options,
                          state = state_](const std::stop_token& stop) mutable {
    reading work{from, std::move(order), options, *state, stop};
    state->finish(work.run());
  }};
}

prefetch::~prefetch() = default; // stops the reader and waits for it

result<prefetched_batch> prefetch::next() {
  PD_TRY(const int slot, state_->take_ready());
  return slot < 0 ? prefetched_batch{} : prefetched_batch{state_, slot};
}

prefetch_stats prefetch::stats() const {
  return state_->stats();
}

} // namespace pd
