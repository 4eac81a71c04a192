/// A folder that goes when the test ends, and IDX files to put into it.

#pragma once

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>
#include <zlib.h>

namespace pd::test {

using bytes = std::vector<std::uint8_t>;

class temporary_folder {
public:
  temporary_folder() {
    auto name =
      (std::filesystem::temp_directory_path() / "pd-data-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }

private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const bytes& content) {
  std::ofstream out{path, std::ios::binary};
  for (const auto each : content)
    out.put(static_cast<char>(each));
  REQUIRE(out.flush().good());
}

/// One gzip member.
inline bytes gzip(const bytes& content) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY)
          == Z_OK);
  bytes out(deflateBound(&z, content.size()));
  auto in = content;
  z.next_in = in.data();
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

inline bytes idx(std::uint8_t type, const std::vector<std::uint32_t>& extents,
                 const bytes& data) {
  bytes out{0, 0, type, static_cast<std::uint8_t>(extents.size())};
  for (const auto extent : extents)
    for (const auto shift : {24U, 16U, 8U, 0U})
      out.push_back(static_cast<std::uint8_t>(extent >> shift));
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

inline bytes counting(std::size_t count) {
  bytes out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<std::uint8_t>(i * 7);
  return out;
}

inline const std::string images_name = "train-images-idx3-ubyte";
inline const std::string labels_name = "train-labels-idx1-ubyte";

/// Three images of 2 x 2, and labels 0, 1, 2.
inline bytes good_images() {
  return idx(8, {3, 2, 2}, counting(12));
}
inline bytes good_labels() {
  return idx(8, {3}, {0, 1, 2});
}

} // namespace pd::test
