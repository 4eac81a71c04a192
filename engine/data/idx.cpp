#include "engine/data/idx.hpp"

#include "engine/data/byte_source.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

namespace pd {

namespace {

constexpr std::uint8_t type_u8 = 0x08;
constexpr std::int64_t max_bytes = std::int64_t{1} << 40U;
constexpr std::int64_t chunk_bytes = std::int64_t{1} << 20U;
/// What is set aside at once for a gzip file: few images pack better.
constexpr std::int64_t likely_ratio = 16;

std::string hex(std::uint8_t byte) {
  std::array<char, 3> digits{};
  std::snprintf(digits.data(), digits.size(), "%02x", unsigned{byte});
  return digits.data();
}

/// Reads exactly `out`, or says how much was there.
result<void> read_all(byte_source& file, std::span<std::uint8_t> out,
                      const std::string& what) {
  PD_TRY(const auto count, file.read(out));
  if (count == out.size())
    return {};
  return file.broken(file.offset(), "the file ends in " + what + ": wanted "
                                      + std::to_string(out.size())
                                      + " bytes, got " + std::to_string(count));
}

bool fits_rank(idx_kind kind, std::uint8_t rank) {
  return kind == idx_kind::labels ? rank == 1 : rank == 3 || rank == 4;
}

/// The first four bytes. Returns the rank.
result<std::uint8_t> read_magic(byte_source& file, idx_kind kind) {
  std::array<std::uint8_t, 4> magic{};
  PD_CHECK(read_all(file, magic, "the IDX magic number"));
  if (magic[0] != 0 || magic[1] != 0)
    return file.broken(0, "not an IDX file: it begins with " + hex(magic[0])
                            + " " + hex(magic[1]) + ", wants 00 00");
  if (magic[2] != type_u8)
    return file.broken(2, "type code " + hex(magic[2])
                            + ", wants 08 (unsigned bytes)");
  if (!fits_rank(kind, magic[3]))
    return file.broken(
      3, "rank " + std::to_string(magic[3]) + ", wants "
           + (kind == idx_kind::labels ? "1 for labels" : "3 or 4 for images"));
  return magic[3];
}

std::int64_t from_big_endian(std::span<const std::uint8_t, 4> bytes) {
  std::uint32_t value = 0;
  for (const auto each : bytes)
    value = value << 8U | each;
  return value;
}

result<std::vector<std::int64_t>> read_extents(byte_source& file,
                                               std::uint8_t rank) {
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < rank; ++axis) {
    const auto at = file.offset();
    std::array<std::uint8_t, 4> bytes{};
    PD_CHECK(read_all(file, bytes, "the extents"));
    extents.push_back(from_big_endian(bytes));
    if (extents.back() == 0)
      return file.broken(at, "extent " + std::to_string(axis) + " is 0");
  }
  return extents;
}

/// The bytes that the extents ask for, if a file can hold so many.
result<std::int64_t> count_bytes(const byte_source& file,
                                 const std::vector<std::int64_t>& extents) {
  std::int64_t total = 1;
  for (const auto extent : extents) {
    if (extent > max_bytes / total)
      return file.broken(4, "the extents ask for more than "
                              + std::to_string(max_bytes) + " bytes");
    total *= extent;
  }
  const auto there = file.file_bytes() - file.offset();
  if (!file.is_compressed() && total > there)
    return file.broken(file.file_bytes(), "the file ends in the data: wanted "
                                            + std::to_string(total)
                                            + " bytes, got "
                                            + std::to_string(there));
  return total;
}

/// Grows with what is there, so that a lying header gets no memory.
result<std::vector<std::uint8_t>> read_data(byte_source& file,
                                            std::int64_t total) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(static_cast<std::size_t>(
    std::min(total, likely_ratio * file.file_bytes())));
  for (std::int64_t done = 0; done < total;) {
    const auto wanted = std::min(total, done + chunk_bytes);
    bytes.resize(static_cast<std::size_t>(wanted));
    const auto chunk = std::span{bytes}.subspan(static_cast<std::size_t>(done));
    PD_TRY(const auto count, file.read(chunk));
    done += static_cast<std::int64_t>(count);
    if (count < chunk.size())
      return file.broken(file.offset(), "the file ends in the data: wanted "
                                          + std::to_string(total)
                                          + " bytes, got "
                                          + std::to_string(done));
  }
  return bytes;
}

/// Also makes a gzip stream check its sums, which stand at its end.
result<void> check_end(byte_source& file) {
  const auto end = file.offset();
  std::array<std::uint8_t, 1> beyond{};
  PD_TRY(const auto count, file.read(beyond));
  if (count == 0)
    return {};
  return file.broken(end, "bytes after the end of the data");
}

} // namespace

result<idx_array> read_idx(const std::string& path, idx_kind kind) {
  PD_TRY(auto file, byte_source::open(path));
  PD_TRY(const auto rank, read_magic(file, kind));
  PD_TRY(auto extents, read_extents(file, rank));
  PD_TRY(const auto total, count_bytes(file, extents));
  PD_TRY(auto bytes, read_data(file, total));
  PD_CHECK(check_end(file));
  return idx_array{std::move(extents), std::move(bytes)};
}

} // namespace pd
