#include "tools/image_folder/picture_writer.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

// libjpeg's header wants <cstdio> before it.
#include <jpeglib.h>
#include <png.h>

namespace pd {

namespace {

struct close_file {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

error cannot_write(const std::string& path) {
  return {errc::io, path + ": cannot be written"};
}

/// libjpeg's answer to our own mistakes: there are no others here, since it
/// writes to memory.
[[noreturn]] void fail(j_common_ptr from) {
  (*from->err->output_message)(from);
  std::abort();
}

struct free_bytes {
  void operator()(unsigned char* bytes) const { std::free(bytes); }
};

struct jpeg_bytes {
  std::unique_ptr<unsigned char, free_bytes> first;
  unsigned long count = 0;
};

jpeg_bytes encode(const picture& from, int quality) {
  jpeg_compress_struct file{};
  jpeg_error_mgr errors{};
  file.err = jpeg_std_error(&errors);
  errors.error_exit = fail;
  jpeg_create_compress(&file);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&file, &bytes, &count);
  file.image_width = static_cast<JDIMENSION>(from.width);
  file.image_height = static_cast<JDIMENSION>(from.height);
  file.input_components = from.channels;
  file.in_color_space = from.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&file);
  jpeg_set_quality(&file, quality, TRUE);
  jpeg_start_compress(&file, TRUE);
  const auto row_bytes = std::ptrdiff_t{from.channels} * from.width;
  while (file.next_scanline < file.image_height) {
    auto* row = const_cast<JSAMPROW>(
      from.pixels.data() + std::ptrdiff_t{file.next_scanline} * row_bytes);
    jpeg_write_scanlines(&file, &row, 1);
  }
  jpeg_finish_compress(&file);
  jpeg_destroy_compress(&file);
  return {std::unique_ptr<unsigned char, free_bytes>{bytes}, count};
}

/// Smooth noise: random values at the corners of a grid, and between them.
class waves {
public:
  waves(std::uint64_t seed, std::uint64_t number)
    : key_{make_random_key(seed, "waves", number)} {}

  [[nodiscard]] float at(float y, float x) const {
    const float top = std::floor(y);
    const float left = std::floor(x);
    const float upper =
      between(corner(top, left), corner(top, left + 1), x - left);
    const float lower =
      between(corner(top + 1, left), corner(top + 1, left + 1), x - left);
    return between(upper, lower, y - top);
  }

private:
  static float between(float a, float b, float at) {
    const float smooth = at * at * (3 - 2 * at);
    return a + (b - a) * smooth;
  }
  [[nodiscard]] float corner(float y, float x) const {
    const auto index =
      static_cast<std::uint64_t>(y) << 20U | static_cast<std::uint64_t>(x);
    return uniform(key_, index);
  }

  random_key key_;
};

/// One octave a line: how many pixels a wave is, and how much it weighs.
constexpr std::array<std::array<float, 2>, 5> octaves{
  {{180, 90}, {60, 60}, {20, 40}, {7, 24}, {2.5F, 14}}};

float brightness(const waves& from, float y, float x) {
  float sum = 0;
  float offset = 0;
  for (const auto& [length, weight] : octaves) {
    sum += weight * from.at(y / length + offset, x / length + offset);
    offset += 100;
  }
  return sum;
}

} // namespace

result<void> write_jpeg(const std::string& path, const picture& from,
                        int quality) {
  PD_ASSERT(from.channels == 1 || from.channels == 3);
  const auto bytes = encode(from, quality);
  const std::unique_ptr<std::FILE, close_file> file{
    std::fopen(path.c_str(), "wb")};
  if (!file
      || std::fwrite(bytes.first.get(), 1, bytes.count, file.get())
           != bytes.count
      || std::fflush(file.get()) != 0)
    return cannot_write(path);
  return {};
}

result<void> write_png(const std::string& path, const picture& from) {
  png_image file{};
  file.version = PNG_IMAGE_VERSION;
  file.width = static_cast<png_uint_32>(from.width);
  file.height = static_cast<png_uint_32>(from.height);
  file.format = from.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  if (png_image_write_to_file(&file, path.c_str(), 0, from.pixels.data(), 0,
                              nullptr)
      == 0)
    return cannot_write(path);
  return {};
}

/// The brightness of one wave is cut into bands, which makes edges; each colour
/// has waves of its own beside them.
picture draw_photo(int height, int width, std::uint64_t seed) {
  picture made{height, width, 3, {}};
  const waves bands{seed, 3};
  const std::array<waves, 3> colors{waves{seed, 0}, waves{seed, 1},
                                    waves{seed, 2}};
  const auto noise = make_random_key(seed, "photo");
  std::uint64_t drawn = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto at_y = static_cast<float>(y);
      const auto at_x = static_cast<float>(x);
      const float band = std::floor(6 * bands.at(at_y / 90, at_x / 90)) * 14;
      const float shared = brightness(bands, at_y, at_x);
      for (const auto& each : colors) {
        const float own = brightness(each, at_y, at_x);
        const float grain = 6 * (uniform(noise, drawn++) - 0.5F);
        made.pixels.push_back(static_cast<std::uint8_t>(std::clamp(
          0.65F * shared + 0.35F * own + band + grain, 0.0F, 255.0F)));
      }
    }
  return made;
}

} // namespace pd
