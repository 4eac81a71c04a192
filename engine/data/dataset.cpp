#include "engine/data/dataset.hpp"

#include "engine/base/text.hpp"
#include "engine/data/idx_dataset.hpp"
#include "engine/data/image_folder.hpp"
#include "engine/data/synthetic.hpp"

#include <array>
#include <vector>

namespace pd {

const char* to_string(dataset_split split) {
  return split == dataset_split::train ? "train" : "test";
}

std::span<const dataset_name> dataset_names() {
  static const std::array<dataset_name, 4> names{{
    {"fashion-mnist", "60000 + 10000 images of clothes, 28x28x1, 10 classes; "
                      "Debian's package dataset-fashion-mnist"},
    {"idx", "any set of images in MNIST's file format, plain or gzip; "
            "data.path is the folder of its four files"},
    {"image-folder", "JPEG and PNG files as ImageNet has them; data.path is "
                     "the folder of train/CLASS/ and val/CLASS/"},
    {"synthetic", "classes made of noise around random patterns, any size; "
                  "needs no file and can be learned"},
  }};
  return names;
}

result<std::unique_ptr<dataset>> open_dataset(const dataset_spec& spec) {
  if (spec.name == "fashion-mnist")
    return open_fashion_mnist(spec);
  if (spec.name == "idx")
    return open_idx_dataset(spec);
  if (spec.name == "image-folder")
    return open_image_folder(spec);
  if (spec.name == "synthetic")
    return open_synthetic(spec);
  std::vector<std::string> known;
  for (const auto& each : dataset_names())
    known.push_back(each.name);
  return error{errc::unknown_name, "no dataset '" + spec.name + "'"
                                     + did_you_mean(spec.name, known)
                                     + "; there are " + join(known)};
}

} // namespace pd
