/// A batch as rows of channels that lie together, and how threads share it
/// when every channel is reduced first and rewritten after.

#pragma once

#include "engine/device/tensor.hpp"

#include <algorithm>
#include <cstdint>
#include <omp.h>

namespace pd::cpu {

/// Some images, and of each the same pixels.
struct row_part {
  std::int64_t first_image = 0, end_image = 0;
  std::int64_t first_pixel = 0, end_pixel = 0;

  [[nodiscard]] std::int64_t pixels() const { return end_pixel - first_pixel; }
};

/// Rows of `lanes` channels: [images, blocks, pixels]. A plain layout has rows
/// of one channel.
///
/// Invariants:
///
/// (1) How the rows are cut into parts depends on the shape only. So sums by
///     part, added in the order of the parts, do not depend on threads.
struct row_grid {
  std::int64_t images = 0, channels = 0, blocks = 0, pixels = 0;
  std::int64_t lanes = 1;
  std::int64_t image_parts = 1, pixel_parts = 1;

  [[nodiscard]] static row_grid of(const tensor_type& type);

  [[nodiscard]] std::int64_t parts() const { return image_parts * pixel_parts; }
  [[nodiscard]] row_part part(std::int64_t index) const;
  [[nodiscard]] std::int64_t row(std::int64_t image, std::int64_t block,
                                 std::int64_t pixel) const {
    return (image * blocks + block) * pixels + pixel;
  }
  [[nodiscard]] std::int64_t rows() const { return images * blocks * pixels; }
  [[nodiscard]] std::int64_t padded_channels() const { return blocks * lanes; }
};

/// Runs both passes over some blocks on one thread. The second runs backward:
/// what the first read last is still near.
template <class Pass>
void run_passes(const row_grid& grid, std::int64_t first, std::int64_t end,
                Pass& pass) {
  for (auto block = first; block < end; ++block)
    pass.start(block);
  for (std::int64_t i = 0; i < grid.parts(); ++i)
    for (auto block = first; block < end; ++block)
      pass.reduce(block, i);
  for (auto block = first; block < end; ++block)
    pass.finish(block);
  for (auto i = grid.parts() - 1; i >= 0; --i)
    for (auto block = first; block < end; ++block)
      pass.apply(block, i);
}

/// As above, by all threads of a team together.
template <class Pass>
void share_passes(const row_grid& grid, std::int64_t first, Pass& pass) {
  const auto parts = grid.parts();
  const auto units = (grid.blocks - first) * parts;
#pragma omp for schedule(static)
  for (auto block = first; block < grid.blocks; ++block)
    pass.start(block);
#pragma omp for schedule(static)
  for (std::int64_t i = 0; i < units; ++i)
    pass.reduce(first + i / parts, i % parts);
#pragma omp for schedule(static)
  for (auto block = first; block < grid.blocks; ++block)
    pass.finish(block);
#pragma omp for schedule(static)
  for (std::int64_t i = 0; i < units; ++i)
    pass.apply(first + i / parts, i % parts);
}

/// Gives every thread whole blocks, `group` at a time, so that a group's second
/// pass finds it in the cache; what does not come out even is shared.
///
/// Pass: start(block), reduce(block, part), finish(block), apply(block, part),
/// in this order for each block.
template <class Pass>
void run_passes(const row_grid& grid, std::int64_t group, Pass& pass) {
#pragma omp parallel
  {
    const auto each = grid.blocks / omp_get_num_threads();
    const auto shared = each * omp_get_num_threads();
    const auto end = each * (omp_get_thread_num() + 1);
    for (auto block = end - each; block < end; block += group)
      run_passes(grid, block, std::min(block + group, end), pass);
    if (shared < grid.blocks)
      share_passes(grid, shared, pass);
  }
}

} // namespace pd::cpu
