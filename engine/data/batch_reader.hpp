/// Fills batches on several threads: the caller's and helpers of its own.
///
/// Each thread takes the next sample that nobody has; where an image goes does
/// not depend on who makes it, so a batch is the same with any number.

#pragma once

#include "engine/data/batch.hpp"

#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace pd {

class batch_reader {
public:
  /// Starts threads - 1 helpers, which sleep between two batches.
  explicit batch_reader(int threads);
  ~batch_reader();
  batch_reader(const batch_reader&) = delete;
  batch_reader& operator=(const batch_reader&) = delete;

  /// As fill_batch. Thread: one at a time.
  /// Errors: those of fill_batch, of the first sample that has one.
  result<void> fill(const dataset& from, const batch_samples& of,
                    std::span<float> images, std::span<std::int32_t> labels);

private:
  class shared_work;

  std::unique_ptr<shared_work> work_;
  std::vector<std::jthread> helpers_;
};

} // namespace pd
