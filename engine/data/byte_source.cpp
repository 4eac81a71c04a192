#include "engine/data/byte_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <zlib.h>

namespace pd {

namespace {

constexpr std::size_t buffer_bytes = 1U << 16U;
constexpr int gzip_window = 15 + 16; // the largest window, gzip framing

error cannot_read(const std::string& path, const std::string& why) {
  return {errc::io, path + ": " + why};
}

bool looks_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

} // namespace

void byte_source::end_inflate::operator()(z_stream_s* stream) const {
  inflateEnd(stream);
  delete stream;
}

result<byte_source> byte_source::open(const std::string& path) {
  std::error_code why;
  const auto kind = std::filesystem::status(path, why).type();
  if (kind == std::filesystem::file_type::not_found)
    return cannot_read(path, "no such file");
  if (kind != std::filesystem::file_type::regular)
    return cannot_read(path, why ? why.message() : "not a regular file");
  byte_source source{path};
  PD_CHECK(source.begin());
  return source;
}

result<void> byte_source::begin() {
  std::error_code why;
  file_bytes_ =
    static_cast<std::int64_t>(std::filesystem::file_size(path_, why));
  if (why)
    return cannot_read(path_, why.message());
  file_.reset(std::fopen(path_.c_str(), "rb"));
  if (!file_)
    return cannot_read(path_, std::strerror(errno));
  buffer_.resize(buffer_bytes);
  PD_CHECK(fill_input());
  if (!looks_gzip(input_))
    return {};
  inflater_.reset(new z_stream{});
  if (inflateInit2(inflater_.get(), gzip_window) != Z_OK)
    return error{errc::out_of_memory, path_ + ": zlib has no memory"};
  return {};
}

result<void> byte_source::fill_input() {
  const auto count = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (count < buffer_.size() && std::ferror(file_.get()) != 0)
    return cannot_read(path_, std::strerror(errno));
  input_ = std::span{buffer_}.first(count);
  return {};
}

result<std::size_t> byte_source::read(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (input_.empty())
      PD_CHECK(fill_input());
    const auto rest = out.subspan(done);
    PD_TRY(const auto count,
           is_compressed() ? inflate_some(rest) : read_plain(rest));
    done += count;
    offset_ += static_cast<std::int64_t>(count);
    if (is_at_end())
      break;
  }
  return done;
}

bool byte_source::is_at_end() const {
  return input_.empty() && std::feof(file_.get()) != 0
         && (!is_compressed() || is_member_over_);
}

result<std::size_t> byte_source::read_plain(std::span<std::uint8_t> out) {
  const auto count = std::min(out.size(), input_.size());
  std::copy_n(input_.begin(), count, out.begin());
  input_ = input_.subspan(count);
  return count;
}

result<std::size_t> byte_source::inflate_some(std::span<std::uint8_t> out) {
  if (is_member_over_ && input_.empty())
    return std::size_t{0}; // a whole count of members: the end
  if (is_member_over_)
    PD_CHECK(begin_next_member());
  auto& z = *inflater_;
  z.next_in = input_.data();
  z.avail_in = static_cast<uInt>(input_.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(std::min(out.size(), buffer_bytes));
  const auto wanted = z.avail_out;
  const int status = inflate(&z, Z_NO_FLUSH);
  const std::size_t count = wanted - z.avail_out;
  const bool was_empty = input_.empty();
  input_ = input_.last(z.avail_in);
  is_member_over_ = status == Z_STREAM_END;
  const auto at = offset_ + static_cast<std::int64_t>(count);
  if (status == Z_BUF_ERROR && was_empty && count == 0)
    return broken(at, "the gzip stream is cut off");
  if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
    return broken(at, std::string{"the gzip stream is corrupt ("}
                        + (z.msg != nullptr ? z.msg : "no detail") + ")");
  return count;
}

result<void> byte_source::begin_next_member() {
  if (input_[0] != 0x1f)
    return broken(offset_, "bytes that are not gzip after the gzip stream");
  inflateReset(inflater_.get());
  is_member_over_ = false;
  return {};
}

error byte_source::broken(std::int64_t offset, const std::string& what) const {
  return {errc::bad_file,
          path_ + ": at byte " + std::to_string(offset)
            + (is_compressed() ? " of the decompressed data: " : ": ") + what};
}

} // namespace pd
