#include "engine/data/idx_dataset.hpp"

#include "engine/base/assert.hpp"
#include "engine/data/idx.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace pd {

namespace {

constexpr normalization fashion_mnist_scale{0.2860F, 0.3530F};
constexpr int fashion_mnist_classes = 10;

class idx_dataset final : public dataset {
public:
  idx_dataset(dataset_facts facts, idx_array images, idx_array labels,
              image_transform transform)
    : dataset{std::move(facts)},
      images_{std::move(images)},
      labels_{std::move(labels)},
      transform_{std::move(transform)} {}

  result<void> read(sample_at which, std::span<float> image) const override {
    const auto index = which.index;
    PD_ASSERT(index >= 0 && index < size());
    const auto bytes = images_.bytes.size() / static_cast<std::size_t>(size());
    const auto first = static_cast<std::size_t>(index) * bytes;
    transform_.apply(std::span{images_.bytes}.subspan(first, bytes), image);
    return {};
  }

  [[nodiscard]] std::int32_t label(std::int64_t index) const override {
    PD_ASSERT(index >= 0 && index < size());
    return labels_.bytes[static_cast<std::size_t>(index)];
  }

private:
  idx_array images_;
  idx_array labels_;
  image_transform transform_;
};

/// The file of that name, or the one with ".gz" after it if only that exists.
std::string find_file(const std::string& folder, const std::string& name) {
  const auto plain = (std::filesystem::path{folder} / name).string();
  std::error_code ignored;
  const bool is_plain = std::filesystem::exists(plain, ignored);
  const bool is_packed = std::filesystem::exists(plain + ".gz", ignored);
  return is_packed && !is_plain ? plain + ".gz" : plain;
}

/// The images' own size, unless the spec asks for another.
result<image_extents> own_extents(const idx_array& images,
                                  const std::string& path) {
  const auto own = [&](std::size_t axis) {
    return axis < images.extents.size() ? images.extents[axis] : 1;
  };
  if (own(1) > max_image_extent || own(2) > max_image_extent
      || own(3) > max_image_channels)
    return error{errc::bad_file, path + ": at byte 8: images of "
                                   + std::to_string(own(1)) + " x "
                                   + std::to_string(own(2)) + " x "
                                   + std::to_string(own(3)) + ", wants at most "
                                   + std::to_string(max_image_extent) + " x "
                                   + std::to_string(max_image_extent) + " x "
                                   + std::to_string(max_image_channels)};
  return image_extents{static_cast<int>(own(1)), static_cast<int>(own(2)),
                       static_cast<int>(own(3))};
}

image_extents wanted_extents(const dataset_spec& spec,
                             const image_extents& own) {
  return {spec.height != 0 ? spec.height : own.height,
          spec.width != 0 ? spec.width : own.width,
          spec.channels != 0 ? spec.channels : own.channels};
}

result<void> check_counts(const idx_array& images, const idx_array& labels,
                          const std::string& images_path,
                          const std::string& labels_path) {
  if (images.extents[0] == labels.extents[0])
    return {};
  return error{errc::bad_file,
               labels_path + ": at byte 4: " + std::to_string(labels.extents[0])
                 + " labels, but " + images_path + " has "
                 + std::to_string(images.extents[0]) + " images"};
}

/// Returns the number of classes: `wanted`, or as many as there are labels.
result<int> check_labels(const idx_array& labels, int wanted,
                         const std::string& path) {
  if (wanted == 0)
    return 1 + *std::max_element(labels.bytes.begin(), labels.bytes.end());
  const auto bad = std::find_if(labels.bytes.begin(), labels.bytes.end(),
                                [=](int label) { return label >= wanted; });
  if (bad == labels.bytes.end())
    return wanted;
  const auto sample = bad - labels.bytes.begin();
  return error{errc::bad_file,
               path + ": at byte "
                 + std::to_string(labels.header_bytes() + sample) + ": label "
                 + std::to_string(*bad) + " of sample " + std::to_string(sample)
                 + ", wants 0 ... " + std::to_string(wanted - 1)};
}

result<void> check_spec(const dataset_spec& spec) {
  if (spec.path.empty())
    return error{errc::bad_value,
                 spec.name + ": needs data.path, the folder of its files"};
  if (spec.classes < 0)
    return error{errc::bad_value,
                 spec.name + ": classes = " + std::to_string(spec.classes)
                   + ", wants at least 1"};
  return {};
}

/// @pre spec.path, spec.scale and spec.classes are final
result<std::unique_ptr<dataset>> open_folder(const dataset_spec& spec) {
  PD_CHECK(check_spec(spec));
  const std::string prefix =
    spec.split == dataset_split::train ? "train" : "t10k";
  const auto images_path = find_file(spec.path, prefix + "-images-idx3-ubyte");
  const auto labels_path = find_file(spec.path, prefix + "-labels-idx1-ubyte");
  PD_TRY(auto images, read_idx(images_path, idx_kind::images));
  PD_TRY(auto labels, read_idx(labels_path, idx_kind::labels));
  PD_CHECK(check_counts(images, labels, images_path, labels_path));
  PD_TRY(const auto own, own_extents(images, images_path));
  PD_TRY(const auto classes, check_labels(labels, spec.classes, labels_path));
  const auto wanted = wanted_extents(spec, own);
  auto transform = image_transform::make(own, wanted, spec.scale);
  if (!transform)
    return transform.failure().within(images_path);
  dataset_facts facts{spec.name, images.extents[0], classes, wanted};
  return std::unique_ptr<dataset>{
    std::make_unique<idx_dataset>(std::move(facts), std::move(images),
                                  std::move(labels), *std::move(transform))};
}

} // namespace

result<std::unique_ptr<dataset>> open_idx_dataset(const dataset_spec& spec) {
  return open_folder(spec);
}

result<std::unique_ptr<dataset>>
open_fashion_mnist(const dataset_spec& spec, const std::string& usual_place) {
  auto resolved = spec;
  resolved.scale = fashion_mnist_scale;
  if (spec.classes == 0)
    resolved.classes = fashion_mnist_classes;
  if (spec.path.empty())
    resolved.path = usual_place;
  auto opened = open_folder(resolved);
  if (opened || opened.failure().code != errc::io || !spec.path.empty())
    return opened;
  return error{errc::io, opened.failure().message
                           + "; fashion-mnist is in Debian's package "
                             "dataset-fashion-mnist (apt-get install "
                             "dataset-fashion-mnist), or set data.path"};
}

} // namespace pd
