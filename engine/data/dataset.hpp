/// Labelled images, read one at a time, already the size the network wants.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/image_choices.hpp"
#include "engine/data/image_transform.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pd {

enum class dataset_split : std::uint8_t { train, test };

/// "train", "test".
[[nodiscard]] const char* to_string(dataset_split split);

/// What is done to images in files.
struct picture_spec {
  augmentation choices;                            ///< training only
  std::array<double, 3> mean{0.485, 0.456, 0.406}; ///< of pixels in 0 ... 1
  std::array<double, 3> std{0.229, 0.224, 0.225};
  int resize = 0; ///< evaluation only: the shorter side; 0: image * 256 / 224
  bool dct_scaling = true;
  std::int64_t max_broken = 100; ///< files that may be unreadable
};

/// Which samples, and as what images. The defaults take what the set has.
struct dataset_spec {
  std::string name; ///< one of dataset_names()
  std::string path; ///< empty: its usual place
  dataset_split split = dataset_split::train;
  int height = 0;           ///< pixels; 0: the set's own
  int width = 0;            ///< pixels; 0: the set's own
  int channels = 0;         ///< 0: the set's own
  int classes = 0;          ///< 0: the set's own
  std::uint64_t seed = 0;   ///< synthetic and image-folder only
  std::int64_t samples = 0; ///< synthetic only; 0: 8192, 1024
  normalization scale;      ///< idx only
  picture_spec images;      ///< image-folder only
};

/// A sample, in an epoch that may choose another part of it than the last.
struct sample_at {
  std::int64_t index = 0;
  std::int64_t epoch = 0;
};

/// What is known of a dataset once it is open.
struct dataset_facts {
  std::string name;
  std::int64_t samples = 0;
  int classes = 0;
  image_extents image; ///< as read() makes them
};

/// Thread: any, any number at once; what is read depends on nothing before.
class dataset {
public:
  explicit dataset(dataset_facts facts) : facts_{std::move(facts)} {}
  dataset(const dataset&) = delete;
  dataset& operator=(const dataset&) = delete;
  virtual ~dataset() = default;

  [[nodiscard]] const std::string& name() const { return facts_.name; }
  [[nodiscard]] std::int64_t size() const { return facts_.samples; }
  [[nodiscard]] int classes() const { return facts_.classes; }
  [[nodiscard]] const image_extents& image() const { return facts_.image; }

  /// Writes a sample. image: f32 [C, H, W]. Allocates nothing, apart from what
  /// decoding takes: the file (1 GiB at most) and its pixels (512 MiB at most,
  /// and what libjpeg and libpng take). Of these a thread keeps at most 16 MiB
  /// a buffer (kept_buffer_bytes) for its next sample.
  ///
  /// Errors: bad_file if the sample cannot be decoded.
  /// @pre 0 <= index < size(), the image has image().elems() elements
  virtual result<void> read(sample_at which, std::span<float> image) const = 0;

  /// The class of sample `index`, in 0 ... classes() - 1.
  [[nodiscard]] virtual std::int32_t label(std::int64_t index) const = 0;

  /// Files that had to be replaced, by path, each once in this set's life.
  [[nodiscard]] virtual std::vector<std::string> take_broken() const {
    return {};
  }

private:
  dataset_facts facts_;
};

/// Opens and checks a dataset.
///
/// Errors: unknown_name; io if a file cannot be read; bad_file, with the file
/// and the offset, if it breaks its format; bad_value if it does not fit the
/// spec.
[[nodiscard]] result<std::unique_ptr<dataset>>
open_dataset(const dataset_spec& spec);

/// A name that open_dataset knows, and one line about it.
struct dataset_name {
  std::string name;
  std::string description;
};

[[nodiscard]] std::span<const dataset_name> dataset_names();

} // namespace pd
