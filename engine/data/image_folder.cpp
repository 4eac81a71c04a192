#include "engine/data/image_folder.hpp"

#include "engine/base/assert.hpp"
#include "engine/base/log.hpp"
#include "engine/data/broken_files.hpp"
#include "engine/data/image_files.hpp"
#include "engine/data/image_reader.hpp"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

namespace pd {

namespace {

constexpr auto name_of_set = "image-folder";

/// Readers that nobody uses now; there are as many as ever read at once.
class reader_pool {
public:
  explicit reader_pool(const image_reader_spec& spec) : spec_{spec} {}

  std::unique_ptr<image_reader> take() {
    const std::lock_guard lock{mutex_};
    if (free_.empty())
      return std::make_unique<image_reader>(spec_);
    auto taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }

  void give(std::unique_ptr<image_reader> back) {
    const std::lock_guard lock{mutex_};
    free_.push_back(std::move(back));
  }

private:
  image_reader_spec spec_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<image_reader>> free_;
};

class image_folder final : public dataset {
public:
  image_folder(dataset_facts facts, const dataset_spec& spec, image_files files)
    : dataset{std::move(facts)},
      seed_{spec.seed},
      is_training_{spec.split == dataset_split::train},
      files_{std::move(files)},
      readers_{describe(spec)},
      broken_{spec.images.max_broken} {}

  result<void> read(sample_at which, std::span<float> image) const override {
    auto reader = readers_.take();
    auto done = read_with(*reader, which, image);
    reader->shrink();
    readers_.give(std::move(reader));
    return done;
  }

  [[nodiscard]] std::int32_t label(std::int64_t index) const override {
    return files_.label(index);
  }

  std::vector<std::string> take_broken() const override {
    return broken_.take_news();
  }

private:
  static image_reader_spec describe(const dataset_spec& spec) {
    return {{spec.height, spec.width, spec.channels},
            evaluation_extent(spec),
            spec.images};
  }

  /// (2)
  result<void> read_with(image_reader& reader, const sample_at& which,
                         std::span<float> image) const {
    const choice_key who{
      make_random_key(seed_, "image_folder",
                      static_cast<std::uint64_t>(which.epoch)),
      static_cast<std::uint64_t>(which.index)};
    auto file = which.index;
    for (auto left = files_.class_size(file); left > 0; --left) {
      const auto path = files_.path(file);
      const auto done = read_file(reader, path, who, image);
      if (done)
        return {};
      PD_CHECK(broken_.add(path, done.failure()));
      file = files_.next_of_class(file);
    }
    return error{errc::bad_file, files_.path(which.index)
                                   + ": nor can any other image of its class "
                                     "be read"};
  }

  result<void> read_file(image_reader& reader, const std::string& path,
                         const choice_key& who, std::span<float> image) const {
    PD_TRY(const auto file, reader.load(path));
    return is_training_ ? reader.read_for_training(file, who, image)
                        : reader.read_for_evaluation(file, image);
  }

  std::uint64_t seed_;
  bool is_training_;
  image_files files_;
  mutable reader_pool readers_;
  mutable broken_files broken_;
};

result<void> check_spec(const dataset_spec& spec) {
  const auto wrong = [](const std::string& what) {
    return error{errc::bad_value, std::string{name_of_set} + ": " + what};
  };
  if (spec.path.empty())
    return wrong("needs data.path, the folder with train and val");
  if (spec.channels != 1 && spec.channels != 3)
    return wrong("images of " + std::to_string(spec.channels)
                 + " channels; wants 1 or 3");
  const auto fits = [](int extent) {
    return extent >= 1 && extent <= max_image_extent;
  };
  if (!fits(spec.height) || !fits(spec.width))
    return wrong("images of " + std::to_string(spec.height) + " x "
                 + std::to_string(spec.width) + ", wants 1 ... "
                 + std::to_string(max_image_extent));
  const int least = std::max(spec.height, spec.width);
  if (evaluation_extent(spec) < least)
    return wrong("evaluation images are resized to "
                 + std::to_string(evaluation_extent(spec))
                 + ", which is less than the image's " + std::to_string(least));
  return {};
}

} // namespace

int evaluation_extent(const dataset_spec& spec) {
  if (spec.images.resize != 0)
    return spec.images.resize;
  return std::max(spec.height, spec.width) * 256 / 224;
}

result<std::unique_ptr<dataset>> open_image_folder(const dataset_spec& spec) {
  PD_CHECK(check_spec(spec));
  const bool is_training = spec.split == dataset_split::train;
  const std::filesystem::path root{spec.path};
  const auto train = (root / "train").string();
  PD_TRY(const auto classes, image_files::find_classes(train));
  const auto count = static_cast<int>(classes.size());
  if (spec.classes != 0 && count > spec.classes)
    return error{errc::bad_value, train + ": " + std::to_string(count)
                                    + " classes, but model.classes is "
                                    + std::to_string(spec.classes)};
  PD_TRY(auto files,
         image_files::find(is_training ? train : (root / "val").string(),
                           classes, is_training));
  dataset_facts facts{name_of_set,
                      files.size(),
                      spec.classes != 0 ? spec.classes : count,
                      {spec.height, spec.width, spec.channels}};
  return std::unique_ptr<dataset>{
    std::make_unique<image_folder>(std::move(facts), spec, std::move(files))};
}

} // namespace pd
