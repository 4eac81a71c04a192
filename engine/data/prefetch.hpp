/// Microbatches read ahead, on a thread of their own.
///
///     slots:  free ──▶ filled by the thread ──▶ ready, in order
///               ▲                                    │ next()
///               └──── released ◀── held by the consumer
///
/// Invariants:
///
/// (1) Batches come in the order of their microbatches, epoch after epoch.
///
/// (2) All memory is there after the constructor: `slots` batches, no more are
///     ever read ahead or held. A consumer that holds them all and calls next()
///     waits for ever.
///
/// (3) An error comes after the batches before it, and then at every next().

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/sampler.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <thread>

namespace pd {

struct prefetch_options {
  int slots = 4; ///< batches read ahead or held, at most
  std::int64_t first_epoch = 0;
  std::int64_t epochs = 1;
  std::int64_t first_microbatch = 0; ///< of the first epoch: where to resume
  int replica = 0;                   ///< only microbatches k with
  int replicas = 1;                  ///< k mod replicas == replica
  int threads = 1;                   ///< that make the images of a batch
};

struct prefetch_stats {
  std::int64_t batches = 0;  ///< that next() gave
  std::int64_t stall_us = 0; ///< that next() waited
  std::int64_t fill_us = 0;  ///< that the thread spent reading
};

class prefetch_state;

/// A microbatch, or nothing at the end. Gives its slot back when it goes.
/// Thread: one at a time, any; may outlive its prefetch.
class prefetched_batch {
public:
  prefetched_batch() = default; ///< nothing
  prefetched_batch(std::shared_ptr<prefetch_state> owner, int slot);
  prefetched_batch(prefetched_batch&& other) noexcept;
  prefetched_batch& operator=(prefetched_batch&& other) noexcept;
  ~prefetched_batch() { release(); }

  explicit operator bool() const { return owner_ != nullptr; }
  void release();

  /// What follows wants a batch that is there.
  [[nodiscard]] std::int64_t epoch() const;
  [[nodiscard]] std::int64_t microbatch() const;
  /// Samples that are there, at most labels().size().
  [[nodiscard]] std::int64_t samples() const;
  [[nodiscard]] std::span<const float> images() const; ///< f32 [N, C, H, W]
  [[nodiscard]] std::span<const std::int32_t> labels() const; ///< i32 [N]

private:
  std::shared_ptr<prefetch_state> owner_;
  int slot_ = 0;
};

/// Thread: next() from one thread at a time. The destructor does not wait for
/// more than the batch that is being read.
class prefetch {
public:
  /// Starts reading at once. @pre `from` outlives this
  prefetch(const dataset& from, sampler order, const prefetch_options& options);
  ~prefetch();
  prefetch(const prefetch&) = delete;
  prefetch& operator=(const prefetch&) = delete;

  /// The next microbatch, waiting for it; nothing after the last.
  /// Errors: those of fill_batch; failed if the thread died.
  result<prefetched_batch> next();

  [[nodiscard]] prefetch_stats stats() const;

private:
  std::shared_ptr<prefetch_state> state_;
  std::jthread reader_;
};

} // namespace pd
