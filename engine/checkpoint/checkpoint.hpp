/// A whole checkpoint, opened for reading.
///
///     e000002-s0000003840/
///       manifest.json
///       shard-0-of-3.safetensors ...

#pragma once

#include "engine/base/error.hpp"
#include "engine/checkpoint/manifest.hpp"
#include "engine/checkpoint/safetensors.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pd {

enum class checkpoint_state : std::uint8_t {
  whole,
  torn,       ///< not written to its end: a file is missing or short
  corrupt,    ///< a file is not what was written
  unreadable, ///< the system did not let us look: it may be whole
};

/// "whole", "torn", "corrupt", "unreadable".
[[nodiscard]] const char* to_string(checkpoint_state state);

/// Owns: the mapped files. Every byte that it gives was held against its hash
/// when it was opened.
/// Thread: any.
class checkpoint {
public:
  /// Reads and verifies all of it: hashes, and that shapes, dtypes and moments
  /// in the shards are those of the manifest.
  /// Errors: bad_file or io, with the file and what is wrong with it.
  [[nodiscard]] static result<checkpoint> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const checkpoint_manifest& manifest() const {
    return manifest_;
  }

  /// A parameter or a statistic, a counter, a parameter's moment: copied out,
  /// as many elements as its shape has, row-major.
  /// Errors: unknown_name; bad_value if it is of another kind.
  [[nodiscard]] result<std::vector<float>>
  values(const std::string& name) const;
  [[nodiscard]] result<std::vector<std::int64_t>>
  counts(const std::string& name) const;
  [[nodiscard]] result<std::vector<float>> moment(const std::string& name,
                                                  int moment) const;

  /// All but the moments, in the manifest's order. Views: they hold while the
  /// checkpoint does.
  [[nodiscard]] std::vector<safetensor> weights() const;

private:
  friend struct checkpoint_reader;

  [[nodiscard]] result<const checkpoint_tensor*>
  tensor(const std::string& name) const;
  [[nodiscard]] const safetensor& stored(const checkpoint_tensor& tensor,
                                         const std::string& name) const;

  std::string path_;
  checkpoint_manifest manifest_;
  std::vector<safetensors_file> shards_;
};

/// A checkpoint, or why it is none.
struct opened_checkpoint {
  checkpoint_state state = checkpoint_state::whole;
  error why;        ///< unless it is whole: names the file
  checkpoint whole; ///< if it is
};

/// As checkpoint::open, for who wants to know the state. A folder whose name
/// ends in ".part" is torn, whatever is in it.
[[nodiscard]] opened_checkpoint open_checkpoint(const std::string& path);

/// The manifest in a checkpoint's folder; the shards are not looked at.
/// Errors: io, bad_file, with the file.
[[nodiscard]] result<checkpoint_manifest>
read_manifest(const std::string& folder);

/// If the shards are there and of the bytes that the manifest says. Their
/// content is not looked at. Errors: bad_file, with the file.
[[nodiscard]] result<void>
check_shard_sizes(const std::string& folder,
                  const checkpoint_manifest& manifest);

/// Writes all but the moments as one safetensors file that PyTorch's world
/// takes: f32, counters i64. Errors: io.
[[nodiscard]] result<void> export_weights(const checkpoint& from,
                                          const std::string& path);

} // namespace pd
