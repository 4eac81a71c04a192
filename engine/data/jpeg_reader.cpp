#include "engine/data/jpeg_reader.hpp"

#include "engine/base/assert.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>

// libjpeg's header wants <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

namespace pd {

namespace {

/// What one scan of a file may cost times its scans: (3).
constexpr std::int64_t max_scanned_pixels = std::int64_t{1} << 32;
constexpr int max_scans = 500;

/// Columns beside the wanted ones that smooth upsampling looks at.
constexpr int upsampling_margin = 8;

/// libjpeg's struct comes first: libjpeg hands out pointers to it.
struct error_handler {
  jpeg_error_mgr base;
  std::jmp_buf back;
  std::array<char, JMSG_LENGTH_MAX> text;
};

[[noreturn]] void leave(j_common_ptr from) {
  auto* handler = reinterpret_cast<error_handler*>(from->err);
  std::longjmp(handler->back, 1);
}

[[noreturn]] void fail(j_common_ptr from) {
  auto* handler = reinterpret_cast<error_handler*>(from->err);
  (*handler->base.format_message)(from, handler->text.data());
  leave(from);
}

/// A warning: PIL takes what libjpeg makes of such a file, and so do we.
void ignore(j_common_ptr, int) {}

void check_work(j_common_ptr from) {
  const auto* file = reinterpret_cast<j_decompress_ptr>(from);
  const auto scans = std::int64_t{file->input_scan_number};
  const auto pixels =
    std::int64_t{file->image_width} * std::int64_t{file->image_height};
  if (scans <= max_scans && scans * pixels <= max_scanned_pixels)
    return;
  auto* handler = reinterpret_cast<error_handler*>(from->err);
  std::strcpy(handler->text.data(), "too many scans");
  leave(from);
}

bool is_cmyk(const jpeg_decompress_struct& file) {
  return file.jpeg_color_space == JCS_CMYK || file.jpeg_color_space == JCS_YCCK;
}

/// PIL's: a * b / 255, rounded.
std::uint8_t times(int a, int b) {
  const int product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

/// From inverted CMYK, as Adobe writes it, to red, green and blue.
void to_rgb(std::uint8_t* cmyk) {
  const int k = cmyk[3];
  for (int i = 0; i < 3; ++i)
    cmyk[i] = static_cast<std::uint8_t>(k - times(255 - cmyk[i], k));
}

} // namespace

/// Functions with a setjmp hold nothing that has a destructor.
struct jpeg_reader::state {
  jpeg_decompress_struct file{};
  error_handler errors{};
  jpeg_progress_mgr progress{};
  std::span<const std::uint8_t> bytes;

  state() {
    file.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = fail;
    errors.base.emit_message = ignore;
    progress.progress_monitor = check_work;
    PD_ASSERT(setjmp(errors.back) == 0); // else there is no memory at all
    jpeg_create_decompress(&file);
  }
  ~state() { jpeg_destroy_decompress(&file); }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  bool read_head() {
    if (setjmp(errors.back) != 0)
      return false;
    jpeg_abort_decompress(&file);
    file.progress = &progress;
    jpeg_mem_src(&file, bytes.data(), bytes.size());
    jpeg_read_header(&file, TRUE);
    return true;
  }

  /// (2)
  [[nodiscard]] bool has_end() const {
    const auto scans = bytes.last(file.src->bytes_in_buffer);
    constexpr std::array<std::uint8_t, 2> end{0xff, 0xd9};
    return std::find_end(scans.begin(), scans.end(), end.begin(), end.end())
           != scans.end();
  }

  void choose(int eighths) {
    file.scale_num = static_cast<unsigned>(eighths);
    file.scale_denom = 8;
    file.out_color_space = is_cmyk(file) ? JCS_CMYK : JCS_EXT_RGBX;
    file.dct_method = JDCT_ISLOW;
    file.do_fancy_upsampling = TRUE;
  }

  /// Makes libjpeg leave out columns; returns what it will give.
  bool start(int eighths, const pixel_box& wanted, pixel_box& given) {
    if (setjmp(errors.back) != 0)
      return false;
    choose(eighths);
    jpeg_start_decompress(&file);
    const auto all = static_cast<int>(file.output_width);
    const int first = std::max(wanted.left - upsampling_margin, 0);
    const int end =
      std::min(wanted.left + wanted.width + upsampling_margin, all);
    auto left = static_cast<JDIMENSION>(first);
    auto width = static_cast<JDIMENSION>(end - first);
    if (end - first < all)
      jpeg_crop_scanline(&file, &left, &width);
    given = {wanted.top, static_cast<int>(left), wanted.height,
             static_cast<int>(file.output_width)};
    return true;
  }

  bool read_rows(const pixel_box& given, std::uint8_t* to) {
    if (setjmp(errors.back) != 0)
      return false;
    if (given.top > 0)
      jpeg_skip_scanlines(&file, static_cast<JDIMENSION>(given.top));
    const auto row_bytes = std::ptrdiff_t{4} * given.width;
    for (int i = 0; i < given.height; ++i) {
      auto* row = to + i * row_bytes;
      if (jpeg_read_scanlines(&file, &row, 1) != 1)
        return false;
    }
    jpeg_abort_decompress(&file);
    return true;
  }
};

jpeg_reader::jpeg_reader() : is_{std::make_unique<state>()} {}

jpeg_reader::~jpeg_reader() = default;

error jpeg_reader::failure() const {
  const std::string why = is_->errors.text.data();
  return {errc::bad_file,
          "JPEG: " + (why.empty() ? "libjpeg gives no reason" : why)};
}

result<image_size> jpeg_reader::open(std::span<const std::uint8_t> bytes) {
  is_->bytes = bytes;
  is_->errors.text = {};
  if (!is_->read_head())
    return failure();
  if (!is_->has_end())
    return error{errc::bad_file, "JPEG: cut off, it has no end marker"};
  return image_size{static_cast<int>(is_->file.image_height),
                    static_cast<int>(is_->file.image_width)};
}

result<pixel_view> jpeg_reader::decode(int eighths, const pixel_box& wanted) {
  pixel_box given;
  if (!is_->start(eighths, wanted, given))
    return failure();
  const auto row_bytes = std::size_t{4} * static_cast<std::size_t>(given.width);
  const auto bytes = row_bytes * static_cast<std::size_t>(given.height);
  if (pixels_.size() < bytes)
    pixels_.resize(bytes);
  if (!is_->read_rows(given, pixels_.data()))
    return failure();
  if (is_->file.out_color_space == JCS_CMYK)
    convert_cmyk(given);
  return pixel_view{pixels_.data(), static_cast<std::ptrdiff_t>(row_bytes), 4,
                    given};
}

void jpeg_reader::convert_cmyk(const pixel_box& where) {
  const auto bytes = std::size_t{4} * static_cast<std::size_t>(where.width)
                     * static_cast<std::size_t>(where.height);
  for (std::size_t i = 0; i < bytes; i += 4)
    to_rgb(pixels_.data() + i);
}

} // namespace pd
