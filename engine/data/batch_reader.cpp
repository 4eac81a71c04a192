#include "engine/data/batch_reader.hpp"

#include "engine/base/assert.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace pd {

/// The batch that is being filled, and who works on it. The threads write
/// apart: each the images that it took.
class batch_reader::shared_work {
public:
  explicit shared_work(int helpers) : helpers_{helpers} {}

  /// Everybody begins; the caller then takes its share, and waits.
  void begin(const dataset& from, const batch_samples& of,
             std::span<float> images) {
    const std::lock_guard lock{mutex_};
    from_ = &from;
    of_ = of;
    images_ = images;
    next_ = 0;
    failed_at_.reset();
    ++batch_;
    working_ = helpers_;
    begun_.notify_all();
  }

  void take_share() {
    while (const auto i = take())
      if (const auto done = read(*i); !done)
        fail(*i, done.failure());
  }

  result<void> wait() {
    std::unique_lock lock{mutex_};
    ended_.wait(lock, [this] { return working_ == 0; });
    return failed_at_ ? result<void>{why_} : result<void>{};
  }

  /// A helper's life.
  void help(const std::stop_token& stop) {
    std::int64_t seen = 0;
    while (wait_for_next(seen, stop)) {
      take_share();
      const std::lock_guard lock{mutex_};
      if (--working_ == 0)
        ended_.notify_one();
    }
  }

private:
  bool wait_for_next(std::int64_t& seen, const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    if (!begun_.wait(lock, stop, [&] { return batch_ != seen; }))
      return false;
    seen = batch_;
    return true;
  }

  std::optional<std::size_t> take() {
    const std::lock_guard lock{mutex_};
    if (next_ == of_.indices.size())
      return {};
    return next_++;
  }

  /// Where a fault of a thread becomes an error.
  result<void> read(std::size_t i) const {
    try {
      return read_sample(*from_, of_, i, images_);
    } catch (const std::exception& fault) {
      return error{errc::failed, from_->name() + ": " + fault.what()};
    }
  }

  /// Samples before it are taken already, so the first that fails is known.
  void fail(std::size_t i, const error& why) {
    const std::lock_guard lock{mutex_};
    next_ = of_.indices.size();
    if (failed_at_ && *failed_at_ < i)
      return;
    failed_at_ = i;
    why_ = why;
  }

  int helpers_;
  std::mutex mutex_;
  std::condition_variable_any begun_;
  std::condition_variable ended_;
  const dataset* from_ = nullptr;
  batch_samples of_;
  std::span<float> images_;
  std::size_t next_ = 0; ///< sample that nobody has taken
  std::optional<std::size_t> failed_at_;
  error why_;
  std::int64_t batch_ = 0; ///< counts them
  int working_ = 0;        ///< helpers that are not done with it
};

batch_reader::batch_reader(int threads)
  : work_{std::make_unique<shared_work>(threads - 1)} {
  PD_ASSERT(threads >= 1);
  for (int i = 1; i < threads; ++i)
    helpers_.emplace_back(
      [work = work_.get()](const std::stop_token& stop) { work->help(stop); });
}

batch_reader::~batch_reader() = default; // stops the helpers, waits for them

result<void> batch_reader::fill(const dataset& from, const batch_samples& of,
                                std::span<float> images,
                                std::span<std::int32_t> labels) {
  if (helpers_.empty())
    return fill_batch(from, of, images, labels);
  fill_labels(from, of, labels);
  fill_rest(from, of, images);
  work_->begin(from, of, images);
  work_->take_share();
  return work_->wait();
}

} // namespace pd
