#include "engine/data/image_decoder.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace pd {

namespace {

constexpr std::array<std::uint8_t, 2> jpeg_begin{0xff, 0xd8};
constexpr std::array<std::uint8_t, 8> png_begin{0x89, 'P',  'N',  'G',
                                                '\r', '\n', 0x1a, '\n'};

bool begins_with(std::span<const std::uint8_t> bytes,
                 std::span<const std::uint8_t> with) {
  return bytes.size() >= with.size()
         && std::ranges::equal(bytes.first(with.size()), with);
}

result<image_size> check_size(const image_size& size) {
  if (std::int64_t{size.height} * size.width <= max_picture_pixels)
    return size;
  return error{errc::bad_file, std::to_string(size.width) + " x "
                                 + std::to_string(size.height)
                                 + " pixels, wants at most "
                                 + std::to_string(max_picture_pixels)};
}

} // namespace

result<image_size> image_decoder::open(std::span<const std::uint8_t> bytes) {
  is_jpeg_ = begins_with(bytes, jpeg_begin);
  if (!is_jpeg_ && !begins_with(bytes, png_begin))
    return error{errc::bad_file,
                 bytes.empty() ? "an empty file" : "neither JPEG nor PNG"};
  PD_TRY(const auto size, is_jpeg_ ? jpeg_.open(bytes) : png_.open(bytes));
  return check_size(size);
}

result<pixel_view> image_decoder::decode(int eighths, const pixel_box& wanted) {
  return is_jpeg_ ? jpeg_.decode(eighths, wanted) : png_.decode();
}

void image_decoder::shrink() {
  jpeg_.shrink();
  png_.shrink();
}

} // namespace pd
