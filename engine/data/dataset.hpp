/// Labelled images, read one at a time, already the size the network wants.

#pragma once

#include "engine/base/error.hpp"
#include "engine/data/image_transform.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace pd {

enum class dataset_split : std::uint8_t { train, test };

/// "train", "test".
[[nodiscard]] const char* to_string(dataset_split split);

/// Which samples, and as what images. The defaults take what the set has.
struct dataset_spec {
  std::string name; ///< one of dataset_names()
  std::string path; ///< empty: its usual place
  dataset_split split = dataset_split::train;
  int height = 0;           ///< pixels; 0: the set's own
  int width = 0;            ///< pixels; 0: the set's own
  int channels = 0;         ///< 0: the set's own
  int classes = 0;          ///< 0: the set's own
  std::uint64_t seed = 0;   ///< synthetic only
  std::int64_t samples = 0; ///< synthetic only; 0: 8192, 1024
  normalization scale;      ///< idx only
};

/// What is known of a dataset once it is open.
struct dataset_facts {
  std::string name;
  std::int64_t samples = 0;
  int classes = 0;
  image_extents image; ///< as read() makes them
};

/// Thread: any, any number at once; reading changes nothing.
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

  /// Writes sample `index`. image: f32 [C, H, W]. Allocates nothing.
  ///
  /// Errors: bad_file if the sample cannot be decoded.
  /// @pre 0 <= index < size(), the image has image().elems() elements
  virtual result<void> read(std::int64_t index,
                            std::span<float> image) const = 0;

  /// The class of sample `index`, in 0 ... classes() - 1.
  [[nodiscard]] virtual std::int32_t label(std::int64_t index) const = 0;

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
