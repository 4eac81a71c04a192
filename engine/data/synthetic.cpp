#include "engine/data/synthetic.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/random.hpp"

#include <utility>
#include <vector>

namespace pd {

namespace {

constexpr int pattern_extent = 4;
constexpr int max_classes = 1 << 20;
constexpr std::int64_t max_samples = std::int64_t{1} << 40U;

/// A byte uniform in 0 ... 255, as a number of mean 0 and deviation 1.
constexpr normalization pattern_scale{0.5F, 0.2898F};

std::vector<std::uint8_t> make_patterns(const dataset_spec& spec) {
  const auto key = make_random_key(spec.seed, "synthetic.pattern");
  const auto bytes = std::int64_t{spec.classes} * spec.channels * pattern_extent
                     * pattern_extent;
  std::vector<std::uint8_t> patterns(static_cast<std::size_t>(bytes));
  for (std::size_t i = 0; i < patterns.size(); ++i)
    patterns[i] = static_cast<std::uint8_t>(philox(key, i)[0] >> 24U);
  return patterns;
}

void add_noise(random_key key, std::span<float> image) {
  const auto add = [](float& x, std::uint32_t word) {
    x += synthetic_noise_amplitude * (2.0F * to_uniform(word) - 1.0F);
  };
  std::size_t i = 0;
  for (; i + 4 <= image.size(); i += 4) {
    const auto words = philox(key, i / 4);
    for (std::size_t j = 0; j < 4; ++j)
      add(image[i + j], words[j]);
  }
  for (; i < image.size(); ++i)
    add(image[i], philox(key, i / 4)[i % 4]);
}

class synthetic final : public dataset {
public:
  synthetic(dataset_facts facts, const dataset_spec& spec,
            image_transform transform)
    : dataset{std::move(facts)},
      seed_{spec.seed},
      noise_name_{std::string{"synthetic.noise."} + to_string(spec.split)},
      patterns_{make_patterns(spec)},
      transform_{std::move(transform)} {}

  result<void> read(sample_at which, std::span<float> image) const override {
    const auto index = which.index;
    PD_ASSERT(index >= 0 && index < size());
    transform_.apply(pattern(label(index)), image);
    const auto sample = static_cast<std::uint64_t>(index);
    add_noise(make_random_key(seed_, noise_name_, sample), image);
    return {};
  }

  [[nodiscard]] std::int32_t label(std::int64_t index) const override {
    return static_cast<std::int32_t>(index % classes());
  }

private:
  [[nodiscard]] std::span<const std::uint8_t>
  pattern(std::int32_t label) const {
    const auto bytes = patterns_.size() / static_cast<std::size_t>(classes());
    return std::span{patterns_}.subspan(static_cast<std::size_t>(label) * bytes,
                                        bytes);
  }

  std::uint64_t seed_;
  std::string noise_name_;
  std::vector<std::uint8_t> patterns_; ///< u8 [classes, 4, 4, channels]
  image_transform transform_;
};

result<void> check_counts(const dataset_spec& spec) {
  if (spec.classes < 1 || spec.classes > max_classes)
    return error{errc::bad_value,
                 "synthetic: classes = " + std::to_string(spec.classes)
                   + ", wants 1 ... " + std::to_string(max_classes)};
  if (spec.samples < 0 || spec.samples > max_samples)
    return error{errc::bad_value,
                 "synthetic: samples = " + std::to_string(spec.samples)
                   + ", wants 0 ... " + std::to_string(max_samples)};
  return {};
}

std::int64_t sample_count(const dataset_spec& spec) {
  if (spec.samples != 0)
    return spec.samples;
  return spec.split == dataset_split::train ? 8192 : 1024;
}

} // namespace

result<std::unique_ptr<dataset>> open_synthetic(const dataset_spec& spec) {
  PD_CHECK(check_counts(spec));
  const image_extents image{spec.height, spec.width, spec.channels};
  const image_extents grid{pattern_extent, pattern_extent, spec.channels};
  auto transform = image_transform::make(grid, image, pattern_scale);
  if (!transform)
    return transform.failure().within("synthetic");
  dataset_facts facts{"synthetic", sample_count(spec), spec.classes, image};
  return std::unique_ptr<dataset>{
    std::make_unique<synthetic>(std::move(facts), spec, *std::move(transform))};
}

} // namespace pd
