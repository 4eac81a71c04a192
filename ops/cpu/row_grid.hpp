/// A batch as rows of channels that lie together, and how threads share it
/// when every channel is reduced first and rewritten after.

#pragma once

#include "ops/cpu/channel_view.hpp"

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

/// The rows of a view: [images, blocks, pixels].
///
/// Invariants:
///
/// (1) How the rows are cut into parts depends on the shape only. So sums by
///     part, added in the order of the parts, do not depend on threads.
struct row_grid : channel_view {
  std::int64_t image_parts = 1, pixel_parts = 1;
  std::int64_t tile_rows = 1; ///< of blocks that lie side by side; else all

  static constexpr std::int64_t most_blocks_at_once = 64;

  [[nodiscard]] static row_grid of(const tensor_type& type);

  [[nodiscard]] std::int64_t parts() const { return image_parts * pixel_parts; }
  [[nodiscard]] bool has_side_by_side_blocks() const {
    return blocks > 1 && pixel_step > lanes;
  }
  [[nodiscard]] row_part part(std::int64_t index) const;
  /// The number of a row.
  [[nodiscard]] std::int64_t row(std::int64_t image, std::int64_t block,
                                 std::int64_t pixel) const {
    return (image * blocks + block) * pixels + pixel;
  }
  [[nodiscard]] std::int64_t rows() const { return images * blocks * pixels; }
};

/// Channel blocks [first, end).
struct block_range {
  std::int64_t first = 0, end = 0;

  [[nodiscard]] std::int64_t size() const { return end - first; }
};

/// Rows of one image and block, in the order of its pixels.
struct row_run {
  std::int64_t at = 0;  ///< element of the first
  std::int64_t row = 0; ///< number of the first
  std::int64_t rows = 0;
};

/// Calls f(block, row_run) for all rows of a part. Blocks that lie side by side
/// are taken a tile of rows at a time, so that memory is read in its order.
template <class F>
void for_runs(const row_grid& grid, block_range blocks, std::int64_t index,
              F&& f) {
  const auto part = grid.part(index);
  for (auto image = part.first_image; image < part.end_image; ++image)
    for (auto pixel = part.first_pixel; pixel < part.end_pixel;
         pixel += grid.tile_rows)
      for (auto block = blocks.first; block < blocks.end; ++block)
        f(block, row_run{grid.row_at(image, block, pixel),
                         grid.row(image, block, pixel),
                         std::min(grid.tile_rows, part.end_pixel - pixel)});
}

/// Runs both passes over some blocks on one thread. The second runs backward:
/// what the first read last is still near.
template <class Pass>
void run_passes(const row_grid& grid, block_range blocks, Pass& pass) {
  for (auto block = blocks.first; block < blocks.end; ++block)
    pass.start(block);
  for (std::int64_t i = 0; i < grid.parts(); ++i)
    for (auto block = blocks.first; block < blocks.end; ++block)
      pass.reduce({block, block + 1}, i);
  for (auto block = blocks.first; block < blocks.end; ++block)
    pass.finish(block);
  for (auto i = grid.parts() - 1; i >= 0; --i)
    for (auto block = blocks.first; block < blocks.end; ++block)
      pass.apply({block, block + 1}, i);
}

/// As above, by all threads of a team together, `at_once` blocks for one.
template <class Pass>
void share_passes(const row_grid& grid, std::int64_t first,
                  std::int64_t at_once, Pass& pass) {
  const auto parts = grid.parts();
  const auto units = (grid.blocks - first + at_once - 1) / at_once * parts;
  const auto blocks_of = [&](std::int64_t unit) {
    const auto begin = first + unit / parts * at_once;
    return block_range{begin, std::min(begin + at_once, grid.blocks)};
  };
#pragma omp for schedule(static)
  for (auto block = first; block < grid.blocks; ++block)
    pass.start(block);
#pragma omp for schedule(static)
  for (std::int64_t i = 0; i < units; ++i)
    pass.reduce(blocks_of(i), i % parts);
#pragma omp for schedule(static)
  for (auto block = first; block < grid.blocks; ++block)
    pass.finish(block);
#pragma omp for schedule(static)
  for (auto i = units - 1; i >= 0; --i)
    pass.apply(blocks_of(i), i % parts);
}

/// Gives every thread whole blocks, `group` at a time, so that a group's second
/// pass finds it in the cache; what does not come out even is shared. Blocks
/// that lie side by side are shared all.
///
/// Pass: start(block), reduce(blocks, part), finish(block),
/// apply(blocks, part), in this order for each block.
template <class Pass>
void run_passes(const row_grid& grid, std::int64_t group, Pass& pass) {
#pragma omp parallel
  {
    const auto each =
      grid.has_side_by_side_blocks() ? 0 : grid.blocks / omp_get_num_threads();
    const auto shared = each * omp_get_num_threads();
    const auto end = each * (omp_get_thread_num() + 1);
    for (auto block = end - each; block < end; block += group)
      run_passes(grid, {block, std::min(block + group, end)}, pass);
    if (shared < grid.blocks)
      share_passes(
        grid, shared,
        grid.has_side_by_side_blocks() ? row_grid::most_blocks_at_once : 1,
        pass);
  }
}

} // namespace pd::cpu
