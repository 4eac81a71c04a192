/// One image after the other: from a file to what a network reads.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/image_choices.hpp"
#include "engine/data/image_decoder.hpp"
#include "engine/data/image_transform.hpp"
#include "engine/data/resample.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

/// What all images become.
struct image_reader_spec {
  image_extents image;    ///< 1 or 3 channels
  int shorter_side = 256; ///< that evaluation resizes to
  picture_spec how;
};

/// The eighths of its size that a picture is decoded at, so that `from` of its
/// pixels still are at least `to`: 1, 2, 4 or 8.
[[nodiscard]] int eighths_for(const image_size& from, const image_size& to);

/// The part of a picture that is made into outputs, of which `wanted` stay.
struct picture_part {
  pixel_box from;
  image_size to;
  pixel_box wanted; ///< of `to`
};

/// No picture is resized to more pixels along a side.
inline constexpr std::int64_t max_resized_extent = std::int64_t{1} << 30;

/// What evaluation takes of a picture: the middle, after the shorter side is
/// resized to `shorter_side`.
/// Errors: bad_file if the longer side then is beyond max_resized_extent.
[[nodiscard]] result<picture_part> middle_of(const image_size& picture,
                                             int shorter_side,
                                             const image_extents& image);

/// Its buffers grow to what the largest image took; apart from that, and from
/// what libjpeg and libpng take for themselves, nothing is allocated.
/// Thread: one at a time.
class image_reader {
public:
  explicit image_reader(const image_reader_spec& spec);

  /// The bytes of a file, until the next call. Errors: io.
  result<std::span<const std::uint8_t>> load(const std::string& path);

  /// A file's bytes to image: f32 [C, H, W]. Errors: bad_file, without a name.
  result<void> read_for_training(std::span<const std::uint8_t> file,
                                 const choice_key& who, std::span<float> image);
  result<void> read_for_evaluation(std::span<const std::uint8_t> file,
                                   std::span<float> image);

  /// What was chosen, made: both of the above end here.
  /// @pre `of` lies within the picture, and of.wanted has the image's size
  result<void> make(std::span<const std::uint8_t> file, const picture_part& of,
                    bool is_mirrored, const color_jitter& colors,
                    std::span<float> image);

  /// Gives the buffers back that one large image made large.
  /// @post what load() returned is no more
  void shrink();

  /// What its buffers take.
  [[nodiscard]] std::size_t bytes() const;

private:
  result<void> make_opened(const image_size& picture, const picture_part& of,
                           bool is_mirrored, const color_jitter& colors,
                           std::span<float> image);
  result<pixel_view> decode(const image_size& picture, const picture_part& of);
  void compute_weights(const image_size& picture, const picture_part& of,
                       int eighths);
  [[nodiscard]] pixel_view to_grey(const pixel_view& from);

  image_reader_spec spec_;
  plane_scale scale_; ///< of bytes, to what the network reads
  image_decoder decoder_;
  std::vector<std::uint8_t> file_;
  std::vector<std::uint8_t> grey_;
  axis_weights rows_;
  axis_weights columns_;
  std::vector<float> scratch_;
};

} // namespace pd
