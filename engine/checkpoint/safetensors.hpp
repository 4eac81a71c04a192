/// Tensors by name in one file, in the safetensors format: what PyTorch's
/// world reads and writes (https://github.com/huggingface/safetensors).
///
///     8 bytes    N, the length of the header, little-endian
///     N bytes    JSON, padded with spaces:
///                {"__metadata__": {"key": "text"},
///                 "name": {"dtype": "F32", "shape": [2, 3],
///                          "data_offsets": [begin, end]}}
///     the rest   the tensors' bytes, row-major, little-endian
///
/// Invariants, held by reader and writer alike:
///
/// (1) The header is at most 100 MB of JSON in UTF-8 and starts with "{". No
///     key is there twice.
///
/// (2) The bytes of the tensors cover the rest of the file exactly: no hole,
///     no overlap, nothing after the last.
///
/// (3) end - begin is the product of the shape times the dtype's size. A shape
///     may be empty (a scalar) or have a zero in it (no bytes).

#pragma once

#include "engine/base/dtype.hpp"
#include "engine/base/error.hpp"
#include "engine/base/shape.hpp"
#include "engine/checkpoint/file.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace pd {

/// One tensor of a file: its description, and a view of its bytes.
struct safetensor {
  std::string name;
  std::string dtype; ///< the format's: "F32", "BF16", "I64", "U8" ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes; ///< not aligned for any type
};

using safetensors_metadata = std::map<std::string, std::string>;

/// A file that was read and held to the invariants.
///
/// Owns: the mapped bytes, so that the tensors' views hold while it lives.
struct safetensors_file {
  std::vector<safetensor> tensors; ///< by name
  safetensors_metadata metadata;
  mapped_file mapping; ///< empty if parsed from memory

  /// Null if there is none.
  [[nodiscard]] const safetensor* find(const std::string& name) const;
};

/// Maps and checks a file. The tensors' bytes are read when they are used.
///
/// Errors: io; bad_file with the path, the tensor and what is wrong with it.
[[nodiscard]] result<safetensors_file>
read_safetensors(const std::string& path);

/// The same from memory, which must outlive the result. `path` is for errors.
[[nodiscard]] result<safetensors_file>
parse_safetensors(std::span<const std::byte> bytes, const std::string& path);

/// Writes a file whole or not at all (file.hpp). The tensors stand as the
/// reference implementation puts them: widest dtype first, so that each is
/// aligned, then by name. Equal input gives equal bytes.
///
/// Errors: io; bad_value if the tensors break an invariant.
[[nodiscard]] result<void>
write_safetensors(const std::string& path, std::span<const safetensor> tensors,
                  const safetensors_metadata& metadata = {});

/// The bytes that write_safetensors would put before the tensors', and the
/// tensors in their order in the file.
struct safetensors_layout {
  std::string header; ///< its length included
  std::vector<safetensor> tensors;
};
[[nodiscard]] result<safetensors_layout>
lay_out_safetensors(std::span<const safetensor> tensors,
                    const safetensors_metadata& metadata);

/// The elements as float32. F32, BF16 and F16 are exact, F64 is rounded.
///
/// Errors: bad_value if the dtype is another, or `to` has another size.
[[nodiscard]] result<void> copy_f32(const safetensor& from,
                                    std::span<float> to);
[[nodiscard]] result<std::vector<float>> to_f32(const safetensor& from);

/// The elements as int64, from I64, I32, I16, I8 or U8. Errors: as above.
[[nodiscard]] result<std::vector<std::int64_t>> to_i64(const safetensor& from);

/// "F32" of f32, "U8" of u8 ...
[[nodiscard]] const char* safetensors_dtype(dtype type);

/// Bytes of one element; 0 if the format knows no such dtype.
[[nodiscard]] std::size_t safetensors_dtype_bytes(const std::string& dtype);

/// A tensor of `values`, which must outlive it.
[[nodiscard]] safetensor make_safetensor(std::string name, const shape& extents,
                                         std::span<const float> values);
[[nodiscard]] safetensor make_safetensor(std::string name, const shape& extents,
                                         std::span<const std::int64_t> values);

} // namespace pd
