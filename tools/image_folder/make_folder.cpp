#include "tools/image_folder/make_folder.hpp"

#include "engine/data/idx.hpp"
#include "engine/data/resample.hpp"
#include "tools/image_folder/picture_writer.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <span>
#include <vector>

namespace pd {

namespace {

namespace fs = std::filesystem;

/// In the order of their labels, which is that of their names.
constexpr std::array<const char*, 10> classes{
  "0-t-shirt", "1-trouser", "2-pullover", "3-dress", "4-coat",
  "5-sandal",  "6-shirt",   "7-sneaker",  "8-bag",   "9-ankle-boot"};

struct split {
  const char* name;
  const char* prefix;
  std::int64_t count;
};

/// One image, as large as is wanted.
class enlarger {
public:
  enlarger(int height, int width, int side)
    : height_{height},
      width_{width},
      side_{side},
      planes_(static_cast<std::size_t>(side) * static_cast<std::size_t>(side)) {
    rows_.compute(along(height));
    columns_.compute(along(width));
  }

  /// u8 [side, side, channels]
  picture enlarge(std::span<const std::uint8_t> pixels, int channels) {
    const pixel_view from{pixels.data(), width_, 1, {0, 0, height_, width_}};
    resample(from, rows_, columns_, {}, false, scratch_, planes_);
    picture made{side_, side_, channels, {}};
    for (const float each : planes_)
      made.pixels.insert(made.pixels.end(), static_cast<std::size_t>(channels),
                         static_cast<std::uint8_t>(each + 0.5F));
    return made;
  }

private:
  [[nodiscard]] resize_axis along(int extent) const {
    return {0, static_cast<double>(extent), side_, 0, side_, 0, extent};
  }

  int height_;
  int width_;
  int side_;
  axis_weights rows_;
  axis_weights columns_;
  std::vector<float> scratch_;
  std::vector<float> planes_;
};

bool is_due(std::int64_t each, std::int64_t number) {
  return each > 0 && number % each == each - 1;
}

result<void> write_image(const folder_spec& spec, const std::string& folder,
                         std::int64_t number, const picture& image) {
  const bool is_png = is_due(spec.png_each, number);
  const auto path =
    fmt::format("{}/{:05}.{}", folder, number, is_png ? "png" : "JPEG");
  return is_png ? write_png(path, image)
                : write_jpeg(path, image, spec.quality);
}

result<void> make_folders(const std::string& root) {
  for (const auto* name : classes) {
    std::error_code why;
    fs::create_directories(root + "/" + name, why);
    if (why)
      return error{errc::io, root + "/" + name + ": " + why.message()};
  }
  return {};
}

result<idx_array> read_part(const folder_spec& spec, const split& which,
                            idx_kind kind) {
  const auto path = fmt::format("{}/{}-{}", spec.from, which.prefix,
                                kind == idx_kind::images ? "images-idx3-ubyte"
                                                         : "labels-idx1-ubyte");
  return read_idx(fs::exists(path) ? path : path + ".gz", kind);
}

result<void> make_split(const folder_spec& spec, const split& which) {
  PD_TRY(const auto images, read_part(spec, which, idx_kind::images));
  PD_TRY(const auto labels, read_part(spec, which, idx_kind::labels));
  const auto there = std::min(images.extents[0], labels.extents[0]);
  if (which.count < 1 || which.count > there)
    return error{errc::bad_value, fmt::format("{}: {} images, wants 1 ... {}",
                                              which.name, which.count, there)};
  const auto root = fmt::format("{}/{}", spec.out, which.name);
  PD_CHECK(make_folders(root));
  const auto height = static_cast<int>(images.extents[1]);
  const auto width = static_cast<int>(images.extents[2]);
  enlarger large{height, width, spec.side};
  const auto bytes = static_cast<std::size_t>(height * width);
  for (std::int64_t i = 0; i < which.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto image =
      large.enlarge(std::span{images.bytes}.subspan(at * bytes, bytes),
                    is_due(spec.grey_each, i) ? 1 : 3);
    PD_CHECK(
      write_image(spec, root + "/" + classes.at(labels.bytes[at]), i, image));
  }
  return {};
}

} // namespace

result<void> make_image_folder(const folder_spec& spec) {
  PD_CHECK(make_split(spec, {"train", "train", spec.train}));
  return make_split(spec, {"val", "t10k", spec.val});
}

} // namespace pd
