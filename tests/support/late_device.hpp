/// A CPU whose streams run late: what holds the code above a stream to the
/// invariant that it is right for a stream that does not run at once.
///
/// It is of the kind `cpu`, so CPU kernels run on it. Each stream has a thread
/// of its own that does what is queued, in order, each piece after a random
/// pause. A wait that somebody forgot shows as a wrong value: certainly, if the
/// test holds the stream that should have been waited for.

#pragma once

#include "engine/base/random.hpp"
#include "engine/device/cpu_device.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace pd {

/// Thread: one at a time, as any stream; hold() and release() from any.
class late_stream final : public stream {
public:
  /// Pauses up to `most_us` before each piece of work.
  late_stream(int threads, random_key pauses, int most_us);
  /// Does what is still queued.
  ~late_stream() override;

  void run(const std::function<void()>& work) override;
  /// Reached only when all that is queued before it is done.
  [[nodiscard]] event record() override;
  /// Queues the wait; does not block the caller.
  void wait(const event& point) override;

  /// From now on starts no piece of work, until release().
  void hold();
  void release();

private:
  void queue(std::function<void()> work);
  void do_all();
  /// Blocks until something is queued; false if the stream ends first.
  [[nodiscard]] bool has_more();
  /// Blocks while the stream is held. @pre something is queued
  [[nodiscard]] std::function<void()> take();
  void pause(std::uint64_t count) const;

  int threads_;
  random_key pauses_;
  int most_us_;
  std::mutex guard_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queued_;
  bool is_held_ = false;
  bool is_ending_ = false;
  std::thread worker_; ///< the last: it uses all the others
};

/// The cores of this process, late.
class late_device final : public cpu_device {
public:
  /// seed: of the pauses, which are other ones for each stream.
  explicit late_device(const device_options& options = {},
                       std::uint64_t seed = 1, int most_us = 200)
    : cpu_device{options}, seed_{seed}, most_us_{most_us} {}

  [[nodiscard]] std::string describe() const override {
    return cpu_device::describe() + ", late";
  }
  [[nodiscard]] std::unique_ptr<stream> make_stream() override {
    return make_late_stream();
  }
  [[nodiscard]] std::unique_ptr<late_stream> make_late_stream();

private:
  std::uint64_t seed_;
  int most_us_;
  std::atomic<std::uint64_t> streams_{0};
};

} // namespace pd
