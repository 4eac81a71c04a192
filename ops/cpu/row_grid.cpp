#include "ops/cpu/row_grid.hpp"

namespace pd::cpu {

namespace {

constexpr std::int64_t wanted_parts = 32; // of a block: work for many threads
constexpr std::int64_t least_part_rows = 256;
constexpr std::int64_t tile_elems = 16 << 10;
constexpr std::int64_t least_tile_rows = 8;
constexpr std::int64_t most_tile_rows = 256;

std::int64_t cut(std::int64_t whole, std::int64_t parts, std::int64_t index) {
  return whole * index / parts;
}

std::int64_t at_least_one(std::int64_t x) {
  return std::max(x, std::int64_t{1});
}

} // namespace

row_grid row_grid::of(const tensor_type& type) {
  row_grid made{channel_view::of(type)};
  const auto room = made.images * made.pixels / least_part_rows;
  made.image_parts =
    at_least_one(std::min({made.images, room, std::int64_t{2 * wanted_parts}}));
  made.pixel_parts = at_least_one(
    std::min(wanted_parts / made.image_parts, made.pixels / least_part_rows));
  made.tile_rows =
    made.has_side_by_side_blocks()
      ? std::clamp(tile_elems / made.channels, least_tile_rows, most_tile_rows)
      : at_least_one(made.pixels);
  return made;
}

row_part row_grid::part(std::int64_t index) const {
  const auto i = index / pixel_parts;
  const auto p = index % pixel_parts;
  return {cut(images, image_parts, i), cut(images, image_parts, i + 1),
          cut(pixels, pixel_parts, p), cut(pixels, pixel_parts, p + 1)};
}

} // namespace pd::cpu
