/// The bytes of a file, in order, decompressed if it is gzip.
///
/// A file is gzip if it begins with 1f 8b; several gzip members one after the
/// other are one stream. Offsets are of the decompressed bytes.

#pragma once

#include "engine/base/error.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct z_stream_s; // of zlib

namespace pd {

class byte_source {
public:
  /// Errors: io if the file is missing, not a regular file or not readable.
  static result<byte_source> open(const std::string& path);

  /// Fills `out` as far as the file goes. Returns the count of bytes, which is
  /// less than was asked for only at the end.
  ///
  /// Errors: io; bad_file, with the offset, where a gzip stream is corrupt, is
  /// cut off, or is followed by bytes that are not gzip.
  result<std::size_t> read(std::span<std::uint8_t> out);

  /// An error at `offset`: "PATH: at byte 16 of the decompressed data: what".
  [[nodiscard]] error broken(std::int64_t offset,
                             const std::string& what) const;

  [[nodiscard]] std::int64_t offset() const { return offset_; }
  [[nodiscard]] std::int64_t file_bytes() const { return file_bytes_; }
  [[nodiscard]] bool is_compressed() const { return inflater_ != nullptr; }

private:
  struct close_file {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct end_inflate {
    void operator()(z_stream_s* stream) const;
  };

  explicit byte_source(std::string path) : path_{std::move(path)} {}

  result<void> begin();
  result<void> fill_input();
  result<std::size_t> read_plain(std::span<std::uint8_t> out);
  result<std::size_t> inflate_some(std::span<std::uint8_t> out);
  result<void> begin_next_member();
  [[nodiscard]] bool is_at_end() const;

  std::string path_;
  std::unique_ptr<std::FILE, close_file> file_;
  std::unique_ptr<z_stream_s, end_inflate> inflater_; ///< null: a plain file
  std::vector<std::uint8_t> buffer_; ///< what is read of the file
  std::span<std::uint8_t> input_;    ///< of it, what is not used yet
  std::int64_t file_bytes_ = 0;
  std::int64_t offset_ = 0;
  bool is_member_over_ = false; ///< the next byte begins a gzip member
};

} // namespace pd
