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
  /// `length`: pixels between two corners.
  waves(int height, int width, float length, random_key key)
    : length_{length},
      columns_{static_cast<std::size_t>(static_cast<float>(width) / length)
               + 2},
      corners_(
        columns_
        * (static_cast<std::size_t>(static_cast<float>(height) / length) + 2)) {
    for (std::size_t i = 0; i < corners_.size(); ++i)
      corners_[i] = uniform(key, i);
  }

  [[nodiscard]] float at(int y, int x) const {
    const float down = static_cast<float>(y) / length_;
    const float right = static_cast<float>(x) / length_;
    const float top = std::floor(down);
    const float left = std::floor(right);
    const auto* upper = corners_.data()
                        + static_cast<std::size_t>(top) * columns_
                        + static_cast<std::size_t>(left);
    const auto* lower = upper + columns_;
    return between(between(upper[0], upper[1], right - left),
                   between(lower[0], lower[1], right - left), down - top);
  }

private:
  static float between(float a, float b, float at) {
    return a + (b - a) * at * at * (3 - 2 * at);
  }

  float length_;
  std::size_t columns_;
  std::vector<float> corners_;
};

/// One octave a line: how many pixels a wave is long, and how high.
constexpr std::array<std::array<float, 2>, 5> octaves{
  {{180, 90}, {60, 60}, {20, 40}, {7, 30}, {2.5F, 30}}};

/// Waves of all lengths together.
class light {
public:
  light(int height, int width, std::uint64_t seed, std::uint64_t number) {
    for (std::uint64_t i = 0; i < octaves.size(); ++i)
      waves_.emplace_back(
        height, width, octaves[i][0],
        make_random_key(seed, "light", number * octaves.size() + i));
  }

  [[nodiscard]] float at(int y, int x) const {
    float sum = 0;
    for (std::size_t i = 0; i < octaves.size(); ++i)
      sum += octaves[i][1] * waves_[i].at(y, x);
    return sum;
  }

private:
  std::vector<waves> waves_;
};

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

/// The height of one wave is cut into bands, which makes edges; each colour has
/// light of its own beside what all share.
picture draw_photo(int height, int width, std::uint64_t seed) {
  constexpr float bands = 6;
  constexpr float band_height = 14;
  constexpr float grain = 44;
  picture made{height, width, 3, {}};
  const waves edges{height, width, 90, make_random_key(seed, "edges")};
  const light shared{height, width, seed, 0};
  const std::array<light, 3> own{light{height, width, seed, 1},
                                 light{height, width, seed, 2},
                                 light{height, width, seed, 3}};
  const auto noise = make_random_key(seed, "grain");
  std::uint64_t drawn = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const float all = 0.7F * shared.at(y, x)
                        + band_height * std::floor(bands * edges.at(y, x))
                        + grain * (uniform(noise, drawn++) - 0.5F) - 30;
      for (const auto& each : own)
        made.pixels.push_back(static_cast<std::uint8_t>(
          std::clamp(all + 0.3F * each.at(y, x), 0.0F, 255.0F)));
    }
  return made;
}

} // namespace pd
