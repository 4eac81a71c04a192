#include "engine/checkpoint/shard.hpp"

#include "engine/base/descriptor.hpp"
#include "engine/checkpoint/content_hash.hpp"
#include "engine/checkpoint/safetensors.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pd {

namespace {

/// What is hashed is still in the cache when it is written.
constexpr std::size_t chunk_bytes = 1 << 20;

/// The disk is told to begin whenever so much is new (docs/performance.md).
constexpr std::int64_t disk_bytes = 8 << 20;

/// A new file that is hashed while it is written.
class hashed_file {
public:
  static result<hashed_file> create(std::string path) {
    descriptor file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!file.is_open())
      return system_error_of(path, "create");
    return hashed_file{std::move(path), std::move(file)};
  }

  result<void> write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto chunk = bytes.first(std::min(bytes.size(), chunk_bytes));
      hash_.add(chunk);
      if (!write_all(file_.get(), chunk))
        return system_error_of(path_, "write");
      bytes = bytes.subspan(chunk.size());
      bytes_ += static_cast<std::int64_t>(chunk.size());
      start_disk();
    }
    return {};
  }

  /// On the disk, and closed.
  result<void> finish() {
    if (::fsync(file_.get()) != 0 || !file_.close())
      return system_error_of(path_, "sync");
    return {};
  }

  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  [[nodiscard]] std::string hash() const { return hash_.digits(); }

private:
  hashed_file(std::string path, descriptor file)
    : path_{std::move(path)}, file_{std::move(file)} {}

  /// So that the disk writes while we hash, and little is left to sync. A
  /// system that does not do it does it later.
  void start_disk() {
    if (bytes_ - started_bytes_ < disk_bytes)
      return;
    (void)::sync_file_range(file_.get(), started_bytes_,
                            bytes_ - started_bytes_, SYNC_FILE_RANGE_WRITE);
    started_bytes_ = bytes_;
  }

  std::string path_;
  descriptor file_;
  content_hash hash_;
  std::int64_t bytes_ = 0;
  std::int64_t started_bytes_ = 0; ///< that the disk was told of
};

error bad_tensor(const shard_tensor& tensor, const std::string& what) {
  return {errc::bad_value, "tensor '" + tensor.name + "': " + what};
}

result<void> check_size(const shard_tensor& tensor, const std::string& of,
                        std::size_t got, std::int64_t wanted) {
  if (static_cast<std::int64_t>(got) != wanted)
    return bad_tensor(tensor, of + ": wanted " + std::to_string(wanted)
                                + " elements, got " + std::to_string(got));
  return {};
}

/// Which arrays a tensor has is a matter of its kind; all have its shape.
result<void> check_sizes(const shard_tensor& tensor) {
  const auto elems = tensor.extents.elems();
  const auto counts = tensor.kind == tensor_kind::counter ? elems : 0;
  PD_CHECK(check_size(tensor, "values", tensor.values.size(), elems - counts));
  PD_CHECK(check_size(tensor, "counts", tensor.counts.size(), counts));
  for (const auto each : tensor.moments)
    PD_CHECK(check_size(tensor, "a moment", each.size(), elems));
  return {};
}

result<void> check_tensor(const shard_tensor& tensor, std::size_t moments) {
  PD_CHECK(check_tensor_name(tensor.name));
  if (tensor.moments.size() != moments)
    return bad_tensor(tensor, "wanted " + std::to_string(moments)
                                + " moments, got "
                                + std::to_string(tensor.moments.size()));
  return check_sizes(tensor);
}

/// All parameters have as many moments as the first.
result<void> check_all(std::span<const shard_tensor> tensors) {
  const auto is_parameter = [](const shard_tensor& each) {
    return each.kind == tensor_kind::parameter;
  };
  const auto first = std::ranges::find_if(tensors, is_parameter);
  const auto moments = first == tensors.end() ? 0 : first->moments.size();
  for (const auto& each : tensors)
    PD_CHECK(check_tensor(each, is_parameter(each) ? moments : 0));
  return {};
}

/// The tensors of the file: a parameter's moments beside it.
std::vector<safetensor> stored(std::span<const shard_tensor> tensors) {
  std::vector<safetensor> made;
  for (const auto& each : tensors) {
    if (each.kind == tensor_kind::counter)
      made.push_back(make_safetensor(each.name, each.extents, each.counts));
    else
      made.push_back(make_safetensor(each.name, each.extents, each.values));
    for (std::size_t i = 0; i < each.moments.size(); ++i)
      made.push_back(
        make_safetensor(moment_name(static_cast<int>(i), each.name),
                        each.extents, each.moments[i]));
  }
  return made;
}

result<void> write(hashed_file& file, const safetensors_layout& layout) {
  PD_CHECK(file.write(std::as_bytes(std::span{layout.header})));
  for (const auto& each : layout.tensors)
    PD_CHECK(file.write(each.bytes));
  return file.finish();
}

std::vector<checkpoint_tensor> described(std::span<const shard_tensor> tensors,
                                         int shard) {
  std::vector<checkpoint_tensor> made;
  for (const auto& each : tensors)
    made.push_back({each.name, each.extents, each.kind, shard, each.updates});
  return made;
}

} // namespace

result<written_shard> write_shard(const std::string& folder, int shard,
                                  int shards,
                                  std::span<const shard_tensor> tensors) {
  const auto name = shard_file(shard, shards);
  const auto path = folder + "/" + name;
  if (const auto checked = check_all(tensors); !checked)
    return checked.failure().within(path);
  const auto layout = lay_out_safetensors(stored(tensors), {});
  if (!layout)
    return error{errc::bad_value, layout.failure().within(path).message};
  PD_TRY(auto file, hashed_file::create(path));
  if (const auto written = write(file, *layout); !written) {
    ::unlink(path.c_str());
    return written.failure();
  }
  return written_shard{{name, file.bytes(), file.hash()},
                       described(tensors, shard)};
}

} // namespace pd
