/// What a checkpoint says of itself: where training stands, which files it is
/// of, and which tensors they hold. docs/checkpoint.md has one in full.
///
/// Invariants, held by printer and parser alike:
///
/// (1) The text is JSON in UTF-8. Its first member, at a fixed place, is the
///     hash of every byte behind the hash's own digits; what stands before them
///     is always the same. So a flip of any byte is found.
///
/// (2) Shard i of n is the file shard_file(i, n): a manifest names no file
///     outside of its folder.
///
/// (3) A tensor is there once, in a shard that is there, with a shape whose
///     product fits in 63 bits.

#pragma once

#include "engine/base/error.hpp"
#include "engine/base/shape.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pd {

/// What a tensor of a checkpoint is to training.
enum class tensor_kind : std::uint8_t {
  parameter, ///< trained: f32, with the moments of its optimizer
  statistic, ///< of batch norm: f32
  counter,   ///< i64
};

/// "parameter", "statistic", "counter".
[[nodiscard]] const char* to_string(tensor_kind kind);

struct checkpoint_tensor {
  std::string name; ///< torchvision's
  shape extents;
  tensor_kind kind = tensor_kind::parameter;
  int shard = 0;            ///< the file that holds it: an index of shards
  std::int64_t updates = 0; ///< that its optimizer has made

  bool operator==(const checkpoint_tensor&) const = default;
};

struct checkpoint_shard {
  std::string file;       ///< its name within the checkpoint
  std::int64_t bytes = 0; ///< of the whole file
  std::string hash;       ///< of the whole file (content_hash.hpp)

  bool operator==(const checkpoint_shard&) const = default;
};

/// Where training goes on.
struct checkpoint_position {
  std::int64_t epoch = 0;   ///< to go on in
  std::int64_t samples = 0; ///< of that epoch, trained on already

  // NOLINTNEXTLINE(modernize-use-nullptr): there is no null in it
  auto operator<=>(const checkpoint_position&) const = default;
};

/// Whose samples the position counts, in which order.
struct checkpoint_data {
  std::string dataset;      ///< "image-folder"
  std::int64_t samples = 0; ///< of the training split
  bool is_shuffled = true;

  bool operator==(const checkpoint_data&) const = default;
};

struct checkpoint_manifest {
  std::string name; ///< the job's
  std::string job;  ///< the resolved job file, its text
  std::uint64_t seed = 0;
  checkpoint_position at;
  checkpoint_data data;
  std::string rule; ///< of the optimizer: "sgd", "adam", "adamw"
  int moments = 0;  ///< arrays of a parameter's shape that the rule keeps
  std::vector<checkpoint_shard> shards;
  std::vector<checkpoint_tensor> tensors;

  bool operator==(const checkpoint_manifest&) const = default;

  /// Null if there is none.
  [[nodiscard]] const checkpoint_tensor* find(std::string_view name) const;
};

/// The file in a checkpoint that the manifest is.
inline constexpr const char* manifest_file = "manifest.json";

/// More arrays than that an optimizer does not keep.
inline constexpr int max_moments = 8;

/// "shard-0-of-3.safetensors"
[[nodiscard]] std::string shard_file(int shard, int shards);

[[nodiscard]] bool is_shard_file(std::string_view name);

/// "moment0:conv1.weight": the name of a moment in its shard.
[[nodiscard]] std::string moment_name(int moment, const std::string& parameter);

/// If it is fit to be a tensor's name, which must not look like a moment's.
/// Errors: bad_value.
[[nodiscard]] result<void> check_tensor_name(const std::string& name);

/// Errors: bad_value if an invariant is broken, or a text is not UTF-8.
[[nodiscard]] result<std::string>
print_manifest(const checkpoint_manifest& manifest);

/// `path` is for errors. Errors: bad_file.
[[nodiscard]] result<checkpoint_manifest>
parse_manifest(std::string_view text, const std::string& path);

} // namespace pd
