#include "engine/data/image_reader.hpp"

#include "engine/base/descriptor.hpp"
#include "engine/data/cpu/color_rows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pd {

namespace {

/// No file is larger.
constexpr std::int64_t max_file_bytes = std::int64_t{1} << 30;

constexpr plane_scale to_unit{{1 / 255.0F, 1 / 255.0F, 1 / 255.0F}, {}};

error too_long(const image_size& picture, int shorter_side) {
  return {errc::bad_file,
          std::to_string(picture.width) + " x " + std::to_string(picture.height)
            + " pixels: resized so that the shorter side is "
            + std::to_string(shorter_side) + ", the longer one is above "
            + std::to_string(max_resized_extent)};
}

/// v / 255, minus the mean, over the deviation, as one factor and one summand.
/// For one channel mean and deviation are those of all three on the average.
plane_scale normalize(const picture_spec& how, int channels) {
  plane_scale made;
  const auto average = [](const std::array<double, 3>& of) {
    return std::accumulate(of.begin(), of.end(), 0.0) / 3;
  };
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = channels == 3 ? how.mean[c] : average(how.mean);
    const double deviation = channels == 3 ? how.std[c] : average(how.std);
    made.factor[c] = static_cast<float>(1 / (255 * deviation));
    made.offset[c] = static_cast<float>(-mean / deviation);
  }
  return made;
}

/// The same of values in 0 ... 1.
plane_scale after_jitter(plane_scale from) {
  for (auto& each : from.factor)
    each *= 255;
  return from;
}

bool changes_colors(const color_jitter& how) {
  return how.brightness != 1.0F || how.contrast != 1.0F
         || how.saturation != 1.0F || how.hue != 0.0F;
}

/// The pixels of one axis: `from` ... `from + length` of a picture of `extent`
/// at `eighths` are made into `positions`, of which some are wanted.
struct axis_wish {
  int from;
  int length;
  int extent;
  int eighths;
};

resize_axis make_axis(const axis_wish& of, int positions, int first,
                      int count) {
  const double scale = of.eighths / 8.0;
  const double begin = of.from * scale;
  const double end = (of.from + of.length) * scale;
  const int most = scaled_extent(of.extent, of.eighths);
  return {begin,
          end,
          positions,
          first,
          count,
          static_cast<int>(std::floor(begin)),
          std::min(static_cast<int>(std::ceil(end)), most)};
}

} // namespace

int eighths_for(const image_size& from, const image_size& to) {
  for (const int eighths : {1, 2, 4})
    if (std::int64_t{from.height} * eighths >= std::int64_t{to.height} * 8
        && std::int64_t{from.width} * eighths >= std::int64_t{to.width} * 8)
      return eighths;
  return 8;
}

result<picture_part> middle_of(const image_size& picture, int shorter_side,
                               const image_extents& image) {
  const auto [shorter, longer] = std::minmax(picture.height, picture.width);
  if (std::int64_t{shorter_side} * longer / shorter > max_resized_extent)
    return too_long(picture, shorter_side);
  const auto resized = [&, by = shorter](int extent) {
    return static_cast<int>(std::int64_t{shorter_side} * extent / by);
  };
  const image_size to{resized(picture.height), resized(picture.width)};
  const auto middle = [](int whole, int part) { // half to even, as Python's
    return static_cast<int>(std::nearbyint((whole - part) / 2.0));
  };
  return picture_part{{0, 0, picture.height, picture.width},
                      to,
                      {middle(to.height, image.height),
                       middle(to.width, image.width), image.height,
                       image.width}};
}

image_reader::image_reader(const image_reader_spec& spec)
  : spec_{spec}, scale_{normalize(spec.how, spec.image.channels)} {}

result<std::span<const std::uint8_t>>
image_reader::load(const std::string& path) {
  PD_TRY(const auto file, open_to_read(path));
  if (file.bytes > max_file_bytes)
    return error{errc::io, "larger than 1 GiB"};
  const auto count = static_cast<std::size_t>(file.bytes);
  file_.resize(std::max(file_.size(), count));
  const std::span bytes{file_.data(), count};
  PD_TRY(const auto got,
         read_all(file.at.get(), std::as_writable_bytes(bytes)));
  return std::span<const std::uint8_t>{bytes.first(got)};
}

result<void> image_reader::read_for_training(std::span<const std::uint8_t> file,
                                             const choice_key& who,
                                             std::span<float> image) {
  PD_TRY(const auto picture, decoder_.open(file));
  const auto& from = spec_.how.choices;
  const image_size to{spec_.image.height, spec_.image.width};
  return make_opened(
    picture, {choose_crop(who, from, picture), to, {0, 0, to.height, to.width}},
    choose_flip(who, from), choose_jitter(who, from), image);
}

result<void>
image_reader::read_for_evaluation(std::span<const std::uint8_t> file,
                                  std::span<float> image) {
  PD_TRY(const auto picture, decoder_.open(file));
  PD_TRY(const auto part, middle_of(picture, spec_.shorter_side, spec_.image));
  return make_opened(picture, part, false, {}, image);
}

result<void> image_reader::make(std::span<const std::uint8_t> file,
                                const picture_part& of, bool is_mirrored,
                                const color_jitter& colors,
                                std::span<float> image) {
  PD_TRY(const auto picture, decoder_.open(file));
  return make_opened(picture, of, is_mirrored, colors, image);
}

void image_reader::shrink() {
  pd::shrink(file_);
  pd::shrink(grey_);
  decoder_.shrink();
}

std::size_t image_reader::bytes() const {
  return file_.capacity() + grey_.capacity() + decoder_.bytes();
}

void image_reader::compute_weights(const image_size& picture,
                                   const picture_part& of, int eighths) {
  rows_.compute(
    make_axis({of.from.top, of.from.height, picture.height, eighths},
              of.to.height, of.wanted.top, of.wanted.height));
  columns_.compute(
    make_axis({of.from.left, of.from.width, picture.width, eighths},
              of.to.width, of.wanted.left, of.wanted.width));
}

result<pixel_view> image_reader::decode(const image_size& picture,
                                        const picture_part& of) {
  const bool may_scale = spec_.how.dct_scaling && decoder_.can_scale();
  const int eighths =
    may_scale ? eighths_for({of.from.height, of.from.width}, of.to) : 8;
  compute_weights(picture, of, eighths);
  return decoder_.decode(eighths, {rows_.begin(), columns_.begin(),
                                   rows_.end() - rows_.begin(),
                                   columns_.end() - columns_.begin()});
}

pixel_view image_reader::to_grey(const pixel_view& from) {
  const auto width = static_cast<std::size_t>(from.where.width);
  grey_.resize(std::max(grey_.size(),
                        width * static_cast<std::size_t>(from.where.height)));
  for (int y = 0; y < from.where.height; ++y) {
    const auto* row = from.row(from.where.top + y);
    auto* out = grey_.data() + static_cast<std::size_t>(y) * width;
    for (std::size_t x = 0; x < width; ++x)
      out[x] = luminance(row + 4 * x);
  }
  return {grey_.data(), from.where.width, 1, from.where};
}

result<void> image_reader::make_opened(const image_size& picture,
                                       const picture_part& of, bool is_mirrored,
                                       const color_jitter& colors,
                                       std::span<float> image) {
  PD_TRY(auto pixels, decode(picture, of));
  const int channels = spec_.image.channels;
  if (channels == 1)
    pixels = to_grey(pixels);
  const bool has_jitter = changes_colors(colors);
  resample(pixels, rows_, columns_, has_jitter ? to_unit : scale_, is_mirrored,
           scratch_, image);
  if (!has_jitter)
    return {};
  change_colors(colors, channels, image);
  const auto scale = after_jitter(scale_);
  const auto count = static_cast<std::size_t>(channels);
  cpu::scale_planes(std::span{scale.factor}.first(count),
                    std::span{scale.offset}.first(count), image);
  return {};
}

} // namespace pd
