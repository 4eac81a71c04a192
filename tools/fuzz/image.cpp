/// libFuzzer: no bytes make the reader of JPEG and PNG files crash, read what
/// is not there, or make a number that is none.
///
///     bin/fuzz_image -max_total_time=60 tools/fuzz/corpus/image
///
/// A JPEG file without an end marker is refused at once, so every input is also
/// tried with one. What is larger than a few million pixels is left out: it is
/// not another kind of file, only slow.

#include "engine/base/assert.hpp"
#include "engine/data/image_reader.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 22;
constexpr pd::image_extents extents[]{{24, 20, 3}, {9, 33, 1}};

using bytes = std::vector<std::uint8_t>;

bool is_small(std::span<const std::uint8_t> file) {
  pd::image_decoder by;
  const auto size = by.open(file);
  return size && std::int64_t{size->height} * size->width <= most_pixels;
}

void check(const pd::result<void>& done, const std::vector<float>& image) {
  if (!done)
    return;
  for (const float each : image)
    PD_ASSERT(std::isfinite(each));
}

void read(std::span<const std::uint8_t> file) {
  static std::uint64_t sample = 0;
  if (!is_small(file))
    return;
  pd::picture_spec how;
  how.choices.jitter = {0.4, 0.4, 0.4, 0.1};
  for (const auto& each : extents) {
    pd::image_reader by{{each, 40, how}};
    std::vector<float> image(static_cast<std::size_t>(each.elems()));
    check(by.read_for_training(file, {{1, 2}, ++sample}, image), image);
    check(by.read_for_evaluation(file, image), image);
  }
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  read({data, size});
  bytes ended{data, data + size};
  ended.push_back(0xff);
  ended.push_back(0xd9);
  read(ended);
  return 0;
}
