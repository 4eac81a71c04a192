#include "ops/cpu/row_grid.hpp"

namespace pd::cpu {

namespace {

constexpr std::int64_t wanted_parts = 32; // of a block: work for many threads
constexpr std::int64_t least_part_rows = 256;

std::int64_t cut(std::int64_t whole, std::int64_t parts, std::int64_t index) {
  return whole * index / parts;
}

std::int64_t at_least_one(std::int64_t x) {
  return std::max(x, std::int64_t{1});
}

} // namespace

row_grid row_grid::of(const tensor_type& type) {
  const auto& extents = type.extents;
  row_grid made;
  made.images = extents[0];
  made.channels = extents[1];
  made.lanes = extents.rank() == 4 ? channel_block(type.order) : 1;
  made.blocks = (made.channels + made.lanes - 1) / made.lanes;
  made.pixels = extents.rank() == 4 ? extents[2] * extents[3] : 1;
  const auto room = made.images * made.pixels / least_part_rows;
  made.image_parts =
    at_least_one(std::min({made.images, room, std::int64_t{2 * wanted_parts}}));
  made.pixel_parts = at_least_one(
    std::min(wanted_parts / made.image_parts, made.pixels / least_part_rows));
  return made;
}

row_part row_grid::part(std::int64_t index) const {
  const auto i = index / pixel_parts;
  const auto p = index % pixel_parts;
  return {cut(images, image_parts, i), cut(images, image_parts, i + 1),
          cut(pixels, pixel_parts, p), cut(pixels, pixel_parts, p + 1)};
}

} // namespace pd::cpu
