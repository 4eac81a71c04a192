#include "engine/data/png_reader.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <png.h>
#include <string>

namespace pd {

namespace {

constexpr std::size_t max_text = 200;

} // namespace

/// Functions with a setjmp hold nothing that has a destructor.
struct png_reader::state {
  png_structp file = nullptr;
  png_infop info = nullptr;
  std::span<const std::uint8_t> rest; ///< not read yet
  std::array<char, max_text> text{};

  state() = default;
  ~state() { close(); }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  void close() { png_destroy_read_struct(&file, &info, nullptr); }

  [[noreturn]] static void fail(png_structp from, png_const_charp why) {
    auto* self = static_cast<state*>(png_get_error_ptr(from));
    std::strncpy(self->text.data(), why, self->text.size() - 1);
    png_longjmp(from, 1);
  }

  static void ignore(png_structp, png_const_charp) {}

  static void give(png_structp to, png_bytep out, std::size_t count) {
    auto* self = static_cast<state*>(png_get_io_ptr(to));
    if (self->rest.size() < count)
      png_error(to, "cut off");
    std::memcpy(out, self->rest.data(), count);
    self->rest = self->rest.subspan(count);
  }

  bool read_head() {
    close();
    file = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, ignore);
    info = file == nullptr ? nullptr : png_create_info_struct(file);
    if (info == nullptr)
      return false;
    if (setjmp(png_jmpbuf(file)) != 0)
      return false;
    png_set_read_fn(file, this, give);
    png_read_info(file, info);
    return true;
  }

  /// To red, green, blue and a byte more, whatever the file holds.
  void choose() const {
    png_set_strip_16(file);
    png_set_expand(file); // palettes, and grey of fewer bits
    png_set_gray_to_rgb(file);
    if ((png_get_color_type(file, info) & PNG_COLOR_MASK_ALPHA) == 0
        && png_get_valid(file, info, PNG_INFO_tRNS) == 0)
      png_set_filler(file, 0xff, PNG_FILLER_AFTER);
    png_set_interlace_handling(file);
    png_read_update_info(file, info);
  }

  bool start(std::size_t& row_bytes) {
    if (setjmp(png_jmpbuf(file)) != 0)
      return false;
    choose();
    row_bytes = png_get_rowbytes(file, info);
    return true;
  }

  bool read_rows(std::uint8_t** rows) {
    if (setjmp(png_jmpbuf(file)) != 0)
      return false;
    png_read_image(file, rows);
    png_read_end(file, nullptr);
    return true;
  }
};

png_reader::png_reader() : is_{std::make_unique<state>()} {}

png_reader::~png_reader() = default;

error png_reader::failure() const {
  const std::string why = is_->text.data();
  return {errc::bad_file,
          "PNG: " + (why.empty() ? "libpng gives no reason" : why)};
}

result<image_size> png_reader::open(std::span<const std::uint8_t> bytes) {
  is_->rest = bytes;
  is_->text = {};
  if (!is_->read_head())
    return failure();
  return image_size{
    static_cast<int>(png_get_image_height(is_->file, is_->info)),
    static_cast<int>(png_get_image_width(is_->file, is_->info))};
}

result<pixel_view> png_reader::decode() {
  const auto height =
    static_cast<int>(png_get_image_height(is_->file, is_->info));
  const auto width =
    static_cast<int>(png_get_image_width(is_->file, is_->info));
  std::size_t row_bytes = 0;
  if (!is_->start(row_bytes))
    return failure();
  if (row_bytes != std::size_t{4} * static_cast<std::size_t>(width))
    return error{errc::bad_file, "PNG: of a kind that is not known"};
  const auto bytes = row_bytes * static_cast<std::size_t>(height);
  if (pixels_.size() < bytes)
    pixels_.resize(bytes);
  rows_.clear();
  for (int i = 0; i < height; ++i)
    rows_.push_back(pixels_.data() + static_cast<std::size_t>(i) * row_bytes);
  if (!is_->read_rows(rows_.data()))
    return failure();
  return pixel_view{pixels_.data(),
                    static_cast<std::ptrdiff_t>(row_bytes),
                    4,
                    {0, 0, height, width}};
}

} // namespace pd
